//! Serves a node's metrics to Prometheus.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The media type of Prometheus's text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Makes the text at the moment it is asked for.
pub type Text = Arc<dyn Fn() -> String + Send + Sync>;

/// Serves on `address`, whatever the path, until the task is aborted. Fails when the address
/// cannot be used, which the error names.
pub async fn serve(address: SocketAddr, text: Text) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("metrics address {address}: {error}"))
    })?;
    let answer = move || {
        let text = Arc::clone(&text);
        async move { ([(CONTENT_TYPE, TEXT_FORMAT)], text()) }
    };
    let router = Router::new().fallback(answer);
    Ok(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    }))
}
