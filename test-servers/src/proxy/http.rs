//! A proxy for HTTP/1.1.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::door;
use super::plan::{Injected, Plan, Select, Turn};
use crate::Result;
use crate::background::Background;

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpFault {
    /// The connection is closed without an answer, after the server has done the request or before it hears of it.
    Drop {
        /// Whether the server does the request.
        applied: bool,
    },
    /// Nothing is answered, and the connection stays.
    Hang {
        /// Whether the server does the request.
        applied: bool,
    },
    /// This status is answered instead of the server's.
    Answer {
        /// The status, such as 503.
        status: u16,
        /// Whether the server does the request.
        applied: bool,
    },
    /// The server gets the request so much later, also when the client has given up by then.
    DelayRequest(Duration),
    /// The client gets the answer so much later.
    DelayAnswer(Duration),
    /// The server gets the request twice, one after the other, and the client the second answer.
    Twice,
    /// The client gets the head of the answer and half of its body, then the connection is closed.
    CutAnswer,
}

/// Selects requests; all of its words must hold.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    method: Option<String>,
    path: Option<String>,
    header: Option<String>,
    without_header: Option<String>,
}

impl Requests {
    /// Every request.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only of this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only where path and query contain this, percent-decoded.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// Only with this header, whatever it says.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        self.header = Some(name.to_owned());
        self
    }

    /// Only without this header.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.without_header = Some(name.to_owned());
        self
    }
}

/// The head of a request.
#[derive(Debug)]
pub(super) struct Head {
    method: String,
    target: String,
    headers: HeaderMap,
}

impl Select for Requests {
    type Request = Head;

    fn selects(&self, head: &Head) -> bool {
        self.method.as_ref().is_none_or(|method| *method == head.method)
            && self.path.as_ref().is_none_or(|part| head.target.contains(part))
            && self
                .header
                .as_ref()
                .is_none_or(|name| head.headers.contains_key(name))
            && self
                .without_header
                .as_ref()
                .is_none_or(|name| !head.headers.contains_key(name))
    }
}

type Faults = Plan<Requests, HttpFault>;

/// A proxy before a server that speaks HTTP; ended when dropped.
#[derive(Debug)]
pub struct Http {
    url: String,
    faults: Arc<Faults>,
    cut: watch::Sender<bool>,
    _background: Background,
}

impl Http {
    /// A proxy on a free port before the server at this URL.
    ///
    /// # Errors
    /// The URL is none, has no address, or there is no free port.
    pub fn to(url: &str) -> Result<Self> {
        let (url, server) = door::resolve(url, None)?;
        let faults = Arc::new(Faults::new());
        let (cut, watched) = watch::channel(false);
        let background = Background::start("http proxy", 0, {
            let faults = Arc::clone(&faults);
            move |listener| {
                door::accept(listener, watched, move |client| {
                    serve(client, server, Arc::clone(&faults))
                })
            }
        })?;
        let url = door::moved(url, background.address())?;
        Ok(Self {
            url: url.as_str().trim_end_matches('/').to_owned(),
            faults,
            cut,
            _background: background,
        })
    }

    /// The URL of the server, as it is reached through the proxy; without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next request of these meets the fault.
    pub fn once(&self, requests: Requests, fault: HttpFault) -> Injected {
        self.faults.inject(requests, Turn::After(0), fault)
    }

    /// The n-th request of these from now on, counted from 1, meets the fault.
    pub fn nth(&self, n: usize, requests: Requests, fault: HttpFault) -> Injected {
        self.faults
            .inject(requests, Turn::After(n.saturating_sub(1)), fault)
    }

    /// Every request of these meets the fault.
    pub fn always(&self, requests: Requests, fault: HttpFault) -> Injected {
        self.faults.inject(requests, Turn::Every, fault)
    }

    /// Counts the requests of these from now on.
    pub fn count(&self, requests: Requests) -> Injected {
        self.faults.count(requests)
    }

    /// Cuts the network: connections are closed, and new ones as soon as they are made. What the server has heard, it does.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Takes all faults away and joins the network again.
    pub fn heal(&self) {
        self.faults.clear();
        self.cut.send_replace(false);
    }
}

type Body = BoxBody<Bytes, io::Error>;

async fn serve(client: TcpStream, server: SocketAddr, faults: Arc<Faults>) {
    let service = service_fn(move |request| answer(request, server, Arc::clone(&faults)));
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(client), service);
    // It ends with an error wherever a fault closes the connection.
    let _ = serving.await;
}

/// Answers a request; an error closes the connection.
async fn answer(
    request: Request<Incoming>,
    server: SocketAddr,
    faults: Arc<Faults>,
) -> io::Result<Response<Body>> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let fault = faults.meet(&Head {
        method: parts.method.to_string(),
        target: percent_decode_str(target).decode_utf8_lossy().into_owned(),
        headers: parts.headers.clone(),
    });
    plain(&mut parts.headers);
    let request = Request::from_parts(parts, body);

    use HttpFault::{Answer, CutAnswer, DelayAnswer, DelayRequest, Drop, Hang, Twice};
    let wait = if let Some(DelayRequest(time)) = fault {
        time
    } else {
        Duration::ZERO
    };
    let times = match fault {
        Some(Drop { applied: false } | Hang { applied: false } | Answer { applied: false, .. }) => 0,
        Some(Twice) => 2,
        _ => 1,
    };
    // What has left the client arrives, whether the client waits for it or not.
    let sent = tokio::spawn(async move {
        sleep(wait).await;
        let mut last = None;
        for _ in 0..times {
            last = Some(pass_on(request.clone(), server).await?);
        }
        Ok::<_, io::Error>(last)
    });
    let answered = sent.await.map_err(io::Error::other)??;
    match (fault, answered) {
        (Some(Drop { .. }), _) => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        (Some(Hang { .. }), _) => std::future::pending().await,
        (Some(Answer { status, .. }), _) => refusal(status),
        (Some(DelayAnswer(time)), Some(answer)) => {
            sleep(time).await;
            Ok(answer.map(whole))
        }
        (Some(CutAnswer), Some(answer)) => Ok(half(answer)),
        (_, Some(answer)) => Ok(answer.map(whole)),
        (_, None) => Err(io::Error::other("nothing was sent and nothing is to be answered")),
    }
}

/// Sends a request over a connection of its own and reads the answer to its end.
async fn pass_on(request: Request<Bytes>, server: SocketAddr) -> io::Result<Response<Bytes>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let answer = sender
        .send_request(request.map(Full::new))
        .await
        .map_err(io::Error::other)?;
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    plain(&mut parts.headers);
    Ok(Response::from_parts(parts, body))
}

/// Takes away what is said of a connection rather than of a message, whose body is known here as a whole.
fn plain(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// The answer with its head and half of its body.
fn half(answer: Response<Bytes>) -> Response<Body> {
    let (mut parts, bytes) = answer.into_parts();
    parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    let data = Frame::data(bytes.slice(..bytes.len() / 2));
    let end = async {
        // What was written before is sent when the body makes it wait, and lost with an error at once.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    };
    let frames = stream::once(async { Ok(data) }).chain(stream::once(end));
    Response::from_parts(parts, BodyExt::boxed(StreamBody::new(frames)))
}

fn refusal(status: u16) -> io::Result<Response<Body>> {
    let mut answer = Response::new(whole(Bytes::from_static(b"a fault was injected")));
    *answer.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    Ok(answer)
}
