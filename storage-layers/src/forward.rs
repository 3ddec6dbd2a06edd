//! [`forward!`] and [`around!`]: a layer states by name what it passes on, and writes down only what it changes.
//!
//! Inside `impl StorageBackend for …` or `impl StorageAdapter for …`, beside methods written by hand:
//!
//! - `forward! { inner: read, stat, list }` hands these calls to the field `inner` as they are, at the price of one call;
//! - `around! { inner: read, stat, list }` hands them to [`Around::around`](crate::call::Around), with a
//!   [`Call`](crate::call::Call) that says what each is about;
//! - `repeat! { inner: read, stat, list }` hands them to an inherent `repeat`, which may make the call more than once.
//!
//! `inner` is an `Arc`, so that `open_writer` can be passed on. What is forgotten is refused by
//! `clippy::missing_trait_methods`. `#[async_trait]` does not see into macros, so the methods are spelled here as it would spell them.

/// Passes calls on as they are: `forward! { inner: read, stat }`.
macro_rules! forward {
    ($inner:ident: $($method:ident),+ $(,)?) => {
        $($crate::forward::method! { $method, forward $inner })+
    };
}

/// Passes calls on through [`Around::around`](crate::call::Around): `around! { inner: read, stat }`.
macro_rules! around {
    ($inner:ident: $($method:ident),+ $(,)?) => {
        $($crate::forward::method! { $method, around $inner })+
    };
}

/// Passes calls on through `self.repeat`, as something that can be done again: `repeat! { inner: read, stat }`.
macro_rules! repeat {
    ($inner:ident: $($method:ident),+ $(,)?) => {
        $($crate::forward::method! { $method, repeat $inner })+
    };
}

/// One method by name: its signature, and what a call of it is about.
macro_rules! method {
    (declaration, $how:ident $inner:ident) => {
        fn declaration(&self) -> &storage_core::Declaration {
            self.$inner.declaration()
        }
    };
    (open_writer, forward $inner:ident) => {
        fn open_writer<'key, 'async_trait>(
            self: std::sync::Arc<Self>,
            area: storage_core::Area,
            key: &'key storage_core::Key,
            request: storage_core::WriteRequest,
        ) -> futures::future::BoxFuture<'async_trait, storage_core::Result<Box<dyn storage_core::ObjectWriter>>>
        where
            'key: 'async_trait,
            Self: 'async_trait,
        {
            std::sync::Arc::clone(&self.$inner).open_writer(area, key, request)
        }
    };
    (open_writer, around $inner:ident) => {
        fn open_writer<'key, 'async_trait>(
            self: std::sync::Arc<Self>,
            area: storage_core::Area,
            key: &'key storage_core::Key,
            request: storage_core::WriteRequest,
        ) -> futures::future::BoxFuture<'async_trait, storage_core::Result<Box<dyn storage_core::ObjectWriter>>>
        where
            'key: 'async_trait,
            Self: 'async_trait,
        {
            let inner = std::sync::Arc::clone(&self.$inner);
            Box::pin($crate::writer::open(self, inner, area, key, request))
        }
    };
    // Of bytes.
    (read, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            read['key](area: storage_core::Area, key: &'key storage_core::Key, request: storage_core::ReadRequest)
                -> Option<storage_core::Object>;
            Call::object(Operation::Read, area, key) }
    };
    (write, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            write['key](area: storage_core::Area, key: &'key storage_core::Key, bytes: bytes::Bytes, request: storage_core::WriteRequest)
                -> storage_core::Version;
            Call::object(Operation::Write, area, key)
                .sends(bytes.len())
                .overwrites_if(request.condition == storage_core::Condition::Always) }
    };
    (stat, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            stat['key](area: storage_core::Area, key: &'key storage_core::Key) -> Option<storage_core::ObjectMeta>;
            Call::object(Operation::Stat, area, key) }
    };
    (delete, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            delete['key](area: storage_core::Area, key: &'key storage_core::Key, request: storage_core::DeleteRequest) -> ();
            Call::object(Operation::Delete, area, key).overwrites_if(request.if_version.is_none()) }
    };
    (list, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            list[](area: storage_core::Area, request: storage_core::ListRequest) -> storage_core::ListPage;
            Call::new(Operation::List) }
    };
    (copy, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            copy['from, 'to](area: storage_core::Area, from: &'from storage_core::Key, to: &'to storage_core::Key, request: storage_core::WriteRequest)
                -> Option<storage_core::Version>;
            Call::object(Operation::Copy, area, to).overwrites_if(request.condition == storage_core::Condition::Always) }
    };
    (delete_many, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            delete_many['keys](area: storage_core::Area, keys: &'keys [storage_core::Key]) -> Vec<storage_core::Result<()>>;
            Call::new(Operation::DeleteMany) }
    };
    (presign, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            presign['key](area: storage_core::Area, key: &'key storage_core::Key, valid_for: std::time::Duration) -> String;
            Call::object(Operation::Presign, area, key) }
    };
    (health, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner health[]() -> (); Call::new(Operation::Health) }
    };
    (close, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner close[]() -> (); Call::new(Operation::Close) }
    };
    // Of documents and indexes.
    (put, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            put['name](collection: &'name storage_core::Name, request: storage_core::PutRequest) -> storage_core::Version;
            Call::document(Operation::Put, collection, &request.id)
                .sends(request.body.as_bytes().len())
                .overwrites_if(request.condition == storage_core::Condition::Always) }
    };
    (get, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            get['name, 'id](collection: &'name storage_core::Name, id: &'id storage_core::DocumentId, now: storage_core::Timestamp)
                -> Option<storage_core::StoredDocument>;
            Call::document(Operation::Get, collection, id) }
    };
    (get_many, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            get_many['name, 'ids](collection: &'name storage_core::Name, ids: &'ids [storage_core::DocumentId], now: storage_core::Timestamp)
                -> Vec<Option<storage_core::StoredDocument>>;
            Call::collection(Operation::GetMany, collection) }
    };
    (delete_document, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            delete_document['name](collection: &'name storage_core::Name, request: storage_core::DeleteDocumentRequest) -> bool;
            Call::document(Operation::DeleteDocument, collection, &request.id) }
    };
    (put_many, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            put_many['name](collection: &'name storage_core::Name, requests: Vec<storage_core::PutRequest>)
                -> Vec<storage_core::Result<storage_core::Version>>;
            Call::collection(Operation::PutMany, collection)
                .sends(requests.iter().map(|request| request.body.as_bytes().len()).sum()) }
    };
    (commit, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            commit[](batch: storage_core::BatchRequest) -> Vec<Option<storage_core::Version>>;
            Call::new(Operation::Commit).sends($crate::call::batch_bytes(&batch)) }
    };
    (find, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            find['name](collection: &'name storage_core::Name, request: storage_core::FindRequest) -> storage_core::FindPage;
            Call::collection(Operation::Find, collection) }
    };
    (count, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            count['name](collection: &'name storage_core::Name, request: storage_core::FindRequest) -> u64;
            Call::collection(Operation::Count, collection) }
    };
    (explain, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            explain['name, 'request](collection: &'name storage_core::Name, request: &'request storage_core::FindRequest)
                -> storage_core::Explanation;
            Call::collection(Operation::Explain, collection) }
    };
    (collections, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            collections['after](after: Option<&'after storage_core::Name>, limit: usize) -> Vec<storage_core::Name>;
            Call::new(Operation::Collections) }
    };
    (ensure_index, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            ensure_index['name, 'index](collection: &'name storage_core::Name, index: &'index storage_core::Index, now: storage_core::Timestamp)
                -> bool;
            Call::collection(Operation::EnsureIndex, collection) }
    };
    (drop_index, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            drop_index['name, 'index](collection: &'name storage_core::Name, index: &'index storage_core::Name) -> bool;
            Call::collection(Operation::DropIndex, collection) }
    };
    (indexes, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            indexes['name](collection: &'name storage_core::Name) -> Vec<storage_core::IndexInfo>;
            Call::collection(Operation::Indexes, collection) }
    };
    (rebuild_index, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            rebuild_index['name, 'index](collection: &'name storage_core::Name, index: &'index storage_core::Name, now: storage_core::Timestamp)
                -> ();
            Call::collection(Operation::RebuildIndex, collection) }
    };
    (index_stats, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            index_stats['name, 'index](collection: &'name storage_core::Name, index: &'index storage_core::Name, now: storage_core::Timestamp)
                -> storage_core::IndexStats;
            Call::collection(Operation::IndexStats, collection) }
    };
    (watch, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            watch['name](collection: &'name storage_core::Name, request: storage_core::WatchRequest) -> storage_core::Changes;
            Call::collection(Operation::Watch, collection) }
    };
    // Of logs.
    (append, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            append['name](log: &'name storage_core::Name, request: storage_core::AppendRequest) -> storage_core::Appended;
            Call::log(Operation::Append, log)
                .sends(request.entries.iter().map(bytes::Bytes::len).sum())
                .repeatable_if(request.expected.is_some()) }
    };
    (read_log, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            read_log['name](log: &'name storage_core::Name, from: u64, limit: usize) -> storage_core::LogPage;
            Call::log(Operation::ReadLog, log) }
    };
    (close_log, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner close_log['name](log: &'name storage_core::Name) -> (); Call::log(Operation::CloseLog, log) }
    };
    (delete_log, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner delete_log['name](log: &'name storage_core::Name) -> (); Call::log(Operation::DeleteLog, log) }
    };
    (logs, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            logs['after](after: Option<&'after storage_core::Name>, limit: usize) -> Vec<storage_core::Name>;
            Call::new(Operation::Logs) }
    };
    (sweep, $how:ident $inner:ident) => {
        $crate::forward::body! { $how $inner
            sweep[](now: storage_core::Timestamp) -> storage_core::SweepReport;
            Call::new(Operation::Sweep) }
    };
}

/// The method itself.
macro_rules! body {
    ($how:ident $inner:ident $method:ident[$($life:lifetime),*]($($argument:ident: $type:ty),*) -> $answer:ty; $call:expr) => {
        fn $method<'life0, $($life,)* 'async_trait>(
            &'life0 self, $($argument: $type),*
        ) -> futures::future::BoxFuture<'async_trait, storage_core::Result<$answer>>
        where
            'life0: 'async_trait,
            $($life: 'async_trait,)*
            Self: 'async_trait,
        {
            $crate::forward::work! { $how self $inner $method($($argument),*); $call }
        }
    };
}

/// What it does.
macro_rules! work {
    (forward $self:ident $inner:ident $method:ident($($argument:ident),*); $call:expr) => {
        $self.$inner.$method($($argument),*)
    };
    (around $self:ident $inner:ident $method:ident($($argument:ident),*); $call:expr) => {{
        use $crate::call::{Around as _, Call, Operation};
        let call = $call;
        Box::pin($self.around(call, $self.$inner.$method($($argument),*)))
    }};
    (repeat $self:ident $inner:ident $method:ident($($argument:ident),*); $call:expr) => {{
        use $crate::call::{Call, Operation};
        let call = $call;
        // Of a reference the reference is cloned, of a request the request.
        let work = move || $self.$inner.$method($(Clone::clone(&$argument)),*);
        Box::pin($self.repeat(call, work))
    }};
}

pub(crate) use {around, body, forward, method, repeat, work};
