//! One file per subcommand: its arguments and its `run`.

pub mod bench;
pub mod book;
pub mod cometbft;
pub mod dev;
pub mod exec_child;
pub mod feed;
pub mod genesis;
pub mod init;
pub mod keys;
pub mod localnet;
pub mod margin;
pub mod price;
pub mod query;
pub mod start;
pub mod tx;
pub mod who;

/// Why a command failed, in words for whoever typed it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs a command's asynchronous part.
fn block_on<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}
