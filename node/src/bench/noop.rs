//! A node of the yardstick: the no-op application on Ballast's own transport, with the same pool,
//! bundles and gateway as the exchange, where nothing is verified or executed.

use std::path::Path;
use std::sync::Arc;

use ballast_abci::metrics::Metrics;
use ballast_abci::noop::PooledNoop;
use ballast_abci::pool::{Mode, PoolConfig};
use ballast_abci::{Address, Server, ServerConfig, message_limit};
use ballast_app::view::{
    AccountView, BookView, ChainView, MarketView, MasterView, OrderView, SurfaceView,
};
use ballast_gateway::{Committed, Config, Gateway, SubmitError, View};
use ballast_types::{Account, AccountId, GroupId, MarketId, MarketSpec, OrderId, TimeMs};

use crate::cmd::Failure;
use crate::cometbft::{child, home, provide};
use crate::homes::HomeLock;
use crate::settings::{self, NodeSettings};
use crate::signals::StopSignals;
use crate::sockets::AbciSocket;
use crate::supervise::{Log, Patience, Supervisor};
use crate::{genesis_file, node};

/// Runs the node in `directory` until it is told to stop.
pub async fn run(ballast: &Path, directory: &Path) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let settings = NodeSettings::read(directory)?;
    let _lock = HomeLock::take(directory)?;
    let genesis = genesis_file::read(&home::genesis_path(directory))?;
    let spec = Arc::new(genesis.validate()?.into_spec());
    let ingress = settings::ingress_key(directory)?;
    let socket = AbciSocket::new(directory)?;
    let (fatal, mut failed) = node::fatal_hook();

    let pool = PoolConfig::new(Mode::App, ingress, &spec);
    let app = PooledNoop::start(pool, Arc::clone(&spec), Arc::new(Metrics::new()?))?;
    let pool = Arc::clone(app.pool());
    let submit = Arc::new(move |tx: bytes::Bytes| {
        let answer = tokio::task::block_in_place(|| pool.submit(&tx));
        answer.map_err(|error| SubmitError {
            code: error.code,
            message: error.message,
        })
    });
    let config = Config::new(settings.http, settings.ws);
    let gateway = Arc::new(Gateway::start(config, Arc::clone(&spec), submit).await?);
    let publisher = Arc::clone(&gateway);
    app.on_commit(move |events| {
        let view = Arc::new(Nothing {
            height: events.height,
            time: events.time,
        });
        publisher.publish(Arc::new(Committed {
            events: events.clone(),
            view,
        }));
    });
    let config = ServerConfig {
        address: Address::unix(socket.path())?,
        max_message_bytes: message_limit(spec.limits.block_bytes),
    };
    let server = Server::start(config, app.clone(), app.pool().clone(), fatal)?;
    let log = Log::File(directory.join("logs/cometbft.log"));
    let program = child::program(&provide::binary()?, directory, &socket.proxy_app(), log);
    let cometbft = Supervisor::start(ballast.to_owned(), program, Patience::default())?;
    let outcome = tokio::select! {
        _ = signals.next() => Ok(()),
        reason = failed.recv() => Err(reason.unwrap_or_default().into()),
    };
    cometbft.stop().await;
    tokio::task::spawn_blocking(move || server.stop()).await?;
    gateway.stop().await;
    outcome
}

/// A state that holds nothing.
struct Nothing {
    height: u64,
    time: TimeMs,
}

impl View for Nothing {
    fn chain(&self) -> ChainView {
        ChainView {
            height: self.height,
            time: self.time,
            app_hash: self.app_hash(),
            accounts: 0,
            open_orders: 0,
            waiting_orders: 0,
            fee_pool: 0,
            deficit: 0,
        }
    }

    fn app_hash(&self) -> [u8; 32] {
        [0; 32]
    }

    fn account(&self, _: &Account) -> Option<AccountView> {
        None
    }

    fn master(&self, _: &AccountId) -> Option<MasterView> {
        None
    }

    fn order(&self, _: OrderId) -> Option<OrderView> {
        None
    }

    fn book(&self, _: MarketId, _: usize) -> Option<BookView> {
        None
    }

    fn market(&self, _: MarketId) -> Option<MarketView> {
        None
    }

    fn markets(&self) -> u32 {
        0
    }

    fn market_spec(&self, _: MarketId) -> Option<MarketSpec> {
        None
    }

    fn surface(&self, _: GroupId) -> Option<SurfaceView> {
        None
    }
}
