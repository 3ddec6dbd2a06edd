//! Between the vendor's client and the network: what the server answered, and names that survive the vendor's parser.
//!
//! `object_store` keeps status and error code of an answer to itself, and refuses a page of a listing for one foreign name it does not
//! like. So [`Connector`] puts a service before its HTTP client that notes every answer and rewrites listings.

mod names;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::header::ETAG;
use http::{HeaderMap, Method};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};

pub(crate) use self::names::listed;

/// What came back to the last request of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Whether a request may have left this machine.
    pub(crate) sent: bool,
    /// The status, if there was an answer.
    pub(crate) status: Option<u16>,
    /// The server's word for what is wrong, such as `NoSuchBucket`.
    pub(crate) code: Option<String>,
    /// What went wrong on the way, if there was no answer.
    pub(crate) transport: Option<HttpErrorKind>,
    /// The `ETag` of what was written, where the answer has it.
    pub(crate) e_tag: Option<String>,
    /// The generation of what was written, where the answer has it.
    pub(crate) generation: Option<String>,
    /// What the server calls itself.
    pub(crate) server: Option<String>,
}

tokio::task_local! {
    static REPLY: RefCell<Reply>;
}

/// Runs one call of the vendor's client, and gives what the server answered last.
pub(crate) async fn watch<T>(call: impl Future<Output = T>) -> (T, Reply) {
    let watched = async {
        let value = call.await;
        (value, REPLY.with(RefCell::take))
    };
    REPLY.scope(RefCell::default(), watched).await
}

fn note(change: impl FnOnce(&mut Reply)) {
    // Outside of `watch` nobody asks.
    let _ = REPLY.try_with(|reply| change(&mut reply.borrow_mut()));
}

/// Makes HTTP clients that note what is answered. Clones share their connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connector {
    /// By the text of the options: the clients of credentials have options of their own.
    clients: Arc<Mutex<HashMap<String, HttpClient>>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let text = format!("{options:?}");
        if let Some(client) = clients.get(&text) {
            return Ok(client.clone());
        }
        let inner = ReqwestConnector::default().connect(options)?;
        let client = HttpClient::new(Noting { inner });
        clients.insert(text, client.clone());
        Ok(client)
    }
}

#[derive(Debug)]
struct Noting {
    inner: HttpClient,
}

#[async_trait]
impl HttpService for Noting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let listing = request.method() == Method::GET && is_listing(request.uri().query());
        let copying = request.headers().contains_key("x-amz-copy-source");
        note(|reply| {
            *reply = Reply {
                sent: true,
                ..Reply::default()
            };
        });
        let response = match self.inner.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                let kind = error.kind();
                note(|reply| {
                    reply.transport = Some(kind);
                    // No connection, so nothing went over it.
                    reply.sent = kind != HttpErrorKind::Connect;
                });
                return Err(error);
            }
        };
        let (parts, body) = response.into_parts();
        note(|reply| {
            reply.status = Some(parts.status.as_u16());
            reply.code = header(&parts.headers, "x-ms-error-code");
            reply.e_tag = header(&parts.headers, ETAG.as_str());
            reply.generation = header(&parts.headers, "x-goog-generation");
            reply.server = header(&parts.headers, "server");
        });
        let failed = parts.status.is_client_error() || parts.status.is_server_error();
        if !(failed || listing || copying) {
            return Ok(HttpResponse::from_parts(parts, body));
        }
        let bytes = body.bytes().await.inspect_err(|error| {
            let kind = error.kind();
            note(|reply| reply.transport = Some(kind));
        })?;
        let text = String::from_utf8_lossy(&bytes);
        if listing && !failed {
            return Ok(HttpResponse::from_parts(parts, names::armour(&text).into()));
        }
        if let Some(code) = names::element(&text, "Code") {
            note(|reply| reply.code = Some(code));
        }
        if copying && let Some(e_tag) = names::element(&text, "ETag") {
            note(|reply| reply.e_tag = Some(e_tag));
        }
        Ok(HttpResponse::from_parts(parts, bytes.into()))
    }
}

/// S3 and Google list with `list-type=2`, Azure with `comp=list`.
fn is_listing(query: Option<&str>) -> bool {
    query.is_some_and(|query| {
        query
            .split('&')
            .any(|pair| pair == "list-type=2" || pair == "comp=list")
    })
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
