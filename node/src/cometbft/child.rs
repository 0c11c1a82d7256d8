//! CometBFT as a supervised child.

use std::path::Path;

use crate::supervise::{Log, Program};

/// `cometbft start` on `home`. `proxy_app` overrides the address in its configuration, because a
/// socket in a temporary directory has another path each time (see [`crate::sockets`]).
pub fn program(binary: &Path, home: &Path, proxy_app: &str, log: Log) -> Program {
    Program {
        name: "cometbft".to_owned(),
        path: binary.to_owned(),
        args: vec![
            "start".into(),
            "--home".into(),
            home.into(),
            "--proxy_app".into(),
            proxy_app.into(),
        ],
        env: Vec::new(),
        log,
    }
}
