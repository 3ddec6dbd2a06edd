//! What the buckets hold: one map under one mutex, for both dialects.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, SubsecRound, Utc};
use hyper::header::{HeaderName, HeaderValue};
use md5::{Digest, Md5};

use super::answer::Refusal;

/// The smallest part of a multipart upload but the last, 5 MiB at both vendors
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const MIN_PART_BYTES: usize = 5 * 1024 * 1024;

/// All buckets.
#[derive(Debug)]
pub(super) struct Objects {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    last_generation: u64,
    last_upload: u64,
}

/// A bucket and the uploads in progress.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) objects: BTreeMap<String, Object>,
    /// The state before the current one, as a bucket with versions and a rule to keep one of them has it.
    previous: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
}

/// One state of one object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// With quotes.
    pub(super) etag: String,
    pub(super) generation: u64,
    /// Whole seconds, as headers tell it.
    pub(super) modified: DateTime<Utc>,
    pub(super) headers: Headers,
}

/// The headers kept with an object: type, encoding, the user's own.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

#[derive(Debug)]
struct Upload {
    key: String,
    headers: Headers,
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug)]
struct Part {
    bytes: Bytes,
    etag: String,
}

/// What a write depends on. Default: nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    /// `If-None-Match: *`.
    pub(super) absent: bool,
    /// `If-Match`, with quotes or `*`.
    pub(super) etag: Option<String>,
    /// `x-goog-if-generation-match`; 0 stands for absent.
    pub(super) generation: Option<u64>,
}

impl Condition {
    /// Whether the write may go ahead over `current`.
    pub(super) fn check(&self, current: Option<&Object>) -> Result<(), Refusal> {
        if self.absent && current.is_some() {
            return Err(Refusal::PRECONDITION_FAILED);
        }
        if let Some(etag) = &self.etag {
            // S3 has no object to compare with, which it says by 404
            // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
            let current = current.ok_or(Refusal::NO_SUCH_KEY)?;
            if !etag_matches(etag, &current.etag) {
                return Err(Refusal::PRECONDITION_FAILED);
            }
        }
        if let Some(generation) = self.generation
            && generation != current.map_or(0, |object| object.generation)
        {
            return Err(Refusal::PRECONDITION_FAILED);
        }
        Ok(())
    }
}

/// Whether a header such as `If-Match` names the tag.
pub(super) fn etag_matches(header: &str, etag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_matches('"') == etag.trim_matches('"'))
}

impl Objects {
    pub(super) fn with_bucket(name: &str) -> Self {
        let mut state = State::default();
        state.buckets.insert(name.to_owned(), Bucket::default());
        Self {
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a bucket; one that is there stays as it is.
    pub(super) fn create_bucket(&self, name: &str) {
        self.lock().buckets.entry(name.to_owned()).or_default();
    }

    /// Looks at a bucket.
    pub(super) fn with<T>(&self, bucket: &str, look: impl FnOnce(&Bucket) -> T) -> Result<T, Refusal> {
        Ok(look(
            self.lock().buckets.get(bucket).ok_or(Refusal::NO_SUCH_BUCKET)?,
        ))
    }

    /// The current state of an object.
    pub(super) fn get(&self, bucket: &str, key: &str) -> Result<Object, Refusal> {
        self.with(bucket, |bucket| bucket.objects.get(key).cloned())?
            .ok_or(Refusal::NO_SUCH_KEY)
    }

    /// The state of a generation, the current one or the one before.
    pub(super) fn get_generation(&self, bucket: &str, key: &str, generation: u64) -> Result<Object, Refusal> {
        self.with(bucket, |bucket| {
            [&bucket.objects, &bucket.previous]
                .into_iter()
                .filter_map(|objects| objects.get(key))
                .find(|object| object.generation == generation)
                .cloned()
        })?
        .ok_or(Refusal::NO_SUCH_KEY)
    }

    /// Whether a write with this condition would go ahead now.
    pub(super) fn check(&self, bucket: &str, key: &str, condition: &Condition) -> Result<(), Refusal> {
        self.with(bucket, |bucket| condition.check(bucket.objects.get(key)))?
    }

    /// Writes an object, if the condition holds.
    pub(super) fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        headers: Headers,
        condition: &Condition,
    ) -> Result<Object, Refusal> {
        let etag = format!("\"{}\"", hex(&Md5::digest(&bytes)));
        let mut state = self.lock();
        state.bucket(bucket)?.check(key, condition)?;
        state.put(bucket, key, bytes, etag, headers)
    }

    /// Removes an object, if the condition holds; says whether it was there.
    pub(super) fn delete(&self, bucket: &str, key: &str, condition: &Condition) -> Result<bool, Refusal> {
        let mut state = self.lock();
        let bucket = state.bucket(bucket)?;
        bucket.check(key, condition)?;
        bucket.previous.remove(key);
        Ok(bucket.objects.remove(key).is_some())
    }

    /// Begins a multipart upload and gives its id.
    pub(super) fn begin(&self, bucket: &str, key: &str, headers: Headers) -> Result<String, Refusal> {
        let mut state = self.lock();
        state.last_upload += 1;
        let id = format!("upload-{}", state.last_upload);
        let upload = Upload {
            key: key.to_owned(),
            headers,
            parts: BTreeMap::new(),
        };
        state.bucket(bucket)?.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    /// Adds a part, or replaces it, and gives its tag.
    pub(super) fn add_part(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        number: u32,
        bytes: Bytes,
    ) -> Result<String, Refusal> {
        let etag = format!("\"{}\"", hex(&Md5::digest(&bytes)));
        let mut state = self.lock();
        let upload = state.bucket(bucket)?.upload(key, id)?;
        upload.parts.insert(
            number,
            Part {
                bytes,
                etag: etag.clone(),
            },
        );
        Ok(etag)
    }

    /// Puts the parts named together, if the condition holds. The upload stays where it does not.
    pub(super) fn complete(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        named: &[(u32, String)],
        condition: &Condition,
    ) -> Result<Object, Refusal> {
        let mut state = self.lock();
        let place = state.bucket(bucket)?;
        let (bytes, etag, headers) = place.upload(key, id)?.join(named)?;
        place.check(key, condition)?;
        place.uploads.remove(id);
        state.put(bucket, key, bytes, etag, headers)
    }

    /// Gives an upload up.
    pub(super) fn abort(&self, bucket: &str, key: &str, id: &str) -> Result<(), Refusal> {
        let mut state = self.lock();
        let bucket = state.bucket(bucket)?;
        bucket.upload(key, id)?;
        bucket.uploads.remove(id);
        Ok(())
    }
}

impl State {
    fn bucket(&mut self, name: &str) -> Result<&mut Bucket, Refusal> {
        self.buckets.get_mut(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    fn put(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        etag: String,
        headers: Headers,
    ) -> Result<Object, Refusal> {
        let now = Utc::now();
        // Microseconds, as at Google; they also keep a second server on one port from giving a generation again.
        let clock = u64::try_from(now.timestamp_micros()).unwrap_or_default();
        let generation = clock.max(self.last_generation + 1);
        self.last_generation = generation;
        let object = Object {
            bytes,
            etag,
            generation,
            modified: now.trunc_subsecs(0),
            headers,
        };
        let bucket = self.bucket(bucket)?;
        if let Some(before) = bucket.objects.insert(key.to_owned(), object.clone()) {
            bucket.previous.insert(key.to_owned(), before);
        }
        Ok(object)
    }
}

impl Bucket {
    fn check(&self, key: &str, condition: &Condition) -> Result<(), Refusal> {
        condition.check(self.objects.get(key))
    }

    fn upload(&mut self, key: &str, id: &str) -> Result<&mut Upload, Refusal> {
        self.uploads
            .get_mut(id)
            .filter(|upload| upload.key == key)
            .ok_or(Refusal::NO_SUCH_UPLOAD)
    }
}

impl Upload {
    /// The whole object: bytes, tag, headers.
    fn join(&self, named: &[(u32, String)]) -> Result<(Bytes, String, Headers), Refusal> {
        if named.is_empty() || !named.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(Refusal::INVALID_PART_ORDER);
        }
        let mut whole = BytesMut::new();
        let mut digests = Md5::new();
        for (place, (number, etag)) in named.iter().enumerate() {
            let part = self.parts.get(number).ok_or(Refusal::INVALID_PART)?;
            if !etag_matches(etag, &part.etag) {
                return Err(Refusal::INVALID_PART);
            }
            if place + 1 < named.len() && part.bytes.len() < MIN_PART_BYTES {
                return Err(Refusal::ENTITY_TOO_SMALL);
            }
            digests.update(Md5::digest(&part.bytes));
            whole.extend_from_slice(&part.bytes);
        }
        let etag = format!("\"{}-{}\"", hex(&digests.finalize()), named.len());
        Ok((whole.freeze(), etag, self.headers.clone()))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
