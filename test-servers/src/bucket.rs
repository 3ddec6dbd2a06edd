//! Making the bucket or container of a server that is ours.

use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};

use crate::address::BUCKET;
use crate::reach::http;
use crate::{Kind, Result, Server};

/// Creates it; one that is there already is fine.
pub(crate) async fn create(server: &Server) -> Result<()> {
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = "PUT".parse()?;
    let credential = |name: &str| {
        let found = server.credentials.get(name).cloned();
        found.ok_or_else(|| format!("{name} is not known"))
    };
    match server.kind {
        // Databases come with their first document, and the emulation has every bucket.
        Kind::Mongo | Kind::Gcs => return Ok(()),
        Kind::S3 => {
            let endpoint = server.option("endpoint").ok_or("the URL has no endpoint")?;
            let region = server.option("region").ok_or("the URL has no region")?;
            *request.uri_mut() = format!("{endpoint}/{BUCKET}").parse()?;
            let credential = AwsCredential {
                key_id: credential("AWS_ACCESS_KEY_ID")?,
                secret_key: credential("AWS_SECRET_ACCESS_KEY")?,
                token: None,
            };
            AwsAuthorizer::new(&credential, "s3", &region).try_authorize(&mut request, None)?;
        }
        Kind::Azure => {
            let endpoint = server.option("endpoint").ok_or("the URL has no endpoint")?;
            *request.uri_mut() = format!("{endpoint}/{BUCKET}?restype=container").parse()?;
            let account = credential("AZURE_STORAGE_ACCOUNT_NAME")?;
            let key = AzureAccessKey::try_new(&credential("AZURE_STORAGE_ACCOUNT_KEY")?)?;
            let credential = AzureCredential::AccessKey(key);
            request.headers_mut().insert("content-length", "0".parse()?);
            AzureAuthorizer::new(&credential, &account).try_authorize(&mut request)?;
        }
    }
    let response = http()?.execute(request).await?;
    let status = response.status();
    // 409: it is there.
    if status.is_success() || status.as_u16() == 409 {
        return Ok(());
    }
    let body = response.into_body().bytes().await?;
    let body = String::from_utf8_lossy(&body);
    Err(format!("{BUCKET} could not be created: {status} {}", body.trim()).into())
}
