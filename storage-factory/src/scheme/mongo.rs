//! `mongodb:` and `mongodb+srv:`

use storage_mongo::{Mongo, MongoConfig};

use super::{Place, Scheme};
use crate::option::{Address, UrlOption, UrlOptionKind as Kind};

const OPTIONS: [UrlOption; 2] = [
    UrlOption::new(
        "operation_timeout_ms",
        Kind::Milliseconds,
        "30000",
        "how long one exchange with the server may take",
    ),
    UrlOption::new(
        "upload_age_ms",
        Kind::Milliseconds,
        "86400000",
        "how old an unfinished write of a large object is when a sweep takes it for one that a crash cut short",
    ),
];

pub(super) fn scheme() -> Scheme {
    Scheme::new("mongodb", |address| async move {
        Mongo::connect(config(&address)).await
    })
    .alias("mongodb+srv")
    .place(Place::Database)
    .options(OPTIONS)
    .other_options("MongoDB's, as in every connection string")
}

fn config(address: &Address) -> MongoConfig {
    let mut config = MongoConfig::new(address.for_driver());
    if let Some(timeout) = address.duration("operation_timeout_ms") {
        config = config.operation_timeout(timeout);
    }
    if let Some(age) = address.duration("upload_age_ms") {
        config = config.upload_age(age);
    }
    config
}
