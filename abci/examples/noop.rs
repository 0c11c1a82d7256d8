//! Serves the no-op application until the process is ended:
//! `noop unix:///path/to/abci.sock [app|flood]`.

use std::process::ExitCode;
use std::sync::Arc;

use ballast_abci::noop::{Mempool, NoopApp};
use ballast_abci::{FatalHook, Server, ServerConfig, message_limit};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .ok_or("usage: noop ADDRESS [app|flood]")?
        .parse()?;
    let mempool = match arguments.next().as_deref() {
        None | Some("app") => Mempool::App,
        Some("flood") => Mempool::Flood,
        Some(other) => return Err(format!("mempool {other:?} is neither app nor flood").into()),
    };
    let app = NoopApp::new(mempool);
    let fatal: FatalHook = Arc::new(|_| std::process::abort());
    let config = ServerConfig {
        address,
        max_message_bytes: message_limit(4 << 20),
    };
    let server = Server::start(config, app.clone(), Arc::new(app), fatal)?;
    println!("{}", server.address());
    loop {
        std::thread::park();
    }
}
