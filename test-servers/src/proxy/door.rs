//! Where connections come in, and how the network is cut.

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use crate::Result;

/// Accepts connections for ever. While the network is cut they are closed at once, and those there are, too.
pub(super) async fn accept<F>(
    listener: TcpListener,
    cut: watch::Receiver<bool>,
    serve: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        // A connection that failed before it was accepted is its client's affair.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut cut = cut.clone();
        let serving = serve(stream);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = cut.wait_for(|cut| *cut) => {}
                () = serving => {}
            }
        });
    }
}

/// A URL and the address it names.
pub(super) fn resolve(url: &str, default_port: Option<u16>) -> Result<(Url, SocketAddr)> {
    let url = Url::parse(url).map_err(|error| format!("`{url}` is no URL: {error}"))?;
    let addresses = url.socket_addrs(|| default_port)?;
    let address = addresses
        .first()
        .ok_or_else(|| format!("`{url}` has no address"))?;
    Ok((url, *address))
}

/// The URL with another address.
pub(super) fn moved(mut url: Url, address: SocketAddr) -> Result<Url> {
    url.set_host(Some(&address.ip().to_string()))?;
    url.set_port(Some(address.port()))
        .map_err(|()| "the URL of the server has no place for a port")?;
    Ok(url)
}
