//! [`Factory`]: from URLs to storages. A value, so two programs in one process never share one by accident.

use std::future::Future;
use std::sync::Arc;

use storage_core::{Composed, Error, Result, Storage, StorageAdapter};

use crate::environment::{self, Choice};
use crate::layers::{self, LayerList};
use crate::option::Address;
use crate::scheme::{Scheme, compiled, missing};
use crate::url::{StorageUrl, refused, split_scheme};

/// Opens storages by URL. [`Factory::default`] has every scheme whose feature is on; more can be registered.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// use storage_core::{Memory, Result};
/// use storage_factory::Factory;
///
/// // A stranger's adapter is selected by URL like ours.
/// let factory = Factory::default().register("scratch", |_address| async { Ok(Memory::new()) });
/// let storage = factory.open("scratch://anywhere").await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Factory {
    schemes: Vec<Scheme>,
    left_out: Vec<String>,
    searched: Vec<&'static str>,
}

impl Default for Factory {
    fn default() -> Self {
        Self {
            schemes: compiled(),
            left_out: Vec::new(),
            searched: Vec::new(),
        }
    }
}

impl Factory {
    /// One without any scheme.
    pub const fn empty() -> Self {
        Self {
            schemes: Vec::new(),
            left_out: Vec::new(),
            searched: Vec::new(),
        }
    }

    /// Adds a scheme that takes any path and no options: `open` gets the URL and gives an adapter.
    #[must_use]
    pub fn register<F, Opening, A>(self, name: impl Into<String>, open: F) -> Self
    where
        F: Fn(Address) -> Opening + Send + Sync + 'static,
        Opening: Future<Output = Result<A>> + Send + 'static,
        A: StorageAdapter,
    {
        self.with_scheme(Scheme::new(name, open))
    }

    /// Adds a scheme with all it can say about itself. It takes the place of any that has one of its names.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.schemes.retain(|known| {
            !scheme
                .names()
                .any(|name| known.names().any(|known| known == name))
        });
        self.schemes.push(scheme);
        self
    }

    /// Leaves this layer out wherever it is named: to look at what it would refuse to open.
    #[must_use]
    pub fn without_layer(mut self, name: impl Into<String>) -> Self {
        self.left_out.push(name.into());
        self
    }

    /// Leaves these fields of documents readable wherever a layer seals documents: those a store on top searches for, its
    /// `SEARCHED_FIELDS`.
    #[must_use]
    pub fn searching(mut self, fields: &[&'static str]) -> Self {
        self.searched.extend_from_slice(fields);
        self
    }

    #[cfg_attr(not(feature = "encrypt"), allow(dead_code, reason = "nothing is sealed"))]
    pub(crate) fn searched(&self) -> &[&'static str] {
        &self.searched
    }

    #[cfg_attr(not(feature = "layers"), allow(dead_code, reason = "no layer can be built"))]
    pub(crate) fn leaves_out(&self, layer: &str) -> bool {
        self.left_out.iter().any(|name| name == layer)
    }

    /// The schemes there are.
    pub fn schemes(&self) -> impl Iterator<Item = &Scheme> {
        self.schemes.iter()
    }

    /// The scheme of this name or alias.
    pub fn scheme(&self, name: &str) -> Option<&Scheme> {
        self.schemes
            .iter()
            .find(|scheme| scheme.names().any(|known| known == name))
    }

    /// Opens the storage a URL names.
    ///
    /// # Errors
    /// `InvalidArgument` for a URL that cannot be, an unknown scheme, an unknown option or a bad value, saying what there is;
    /// `Unsupported` naming the feature for a scheme that was not built in; those of the backend. Secrets are never shown.
    pub async fn open(&self, url: &str) -> Result<Storage> {
        Ok(Storage::from_arc(self.open_adapter(url).await?))
    }

    /// Opens the storage a URL names, with more options given in code. They are checked as those of the URL are.
    ///
    /// # Errors
    /// As [`open`](Self::open); `InvalidArgument` for an option that is in the URL too.
    pub async fn open_with<N: AsRef<str>, V: AsRef<str>>(
        &self,
        url: &str,
        options: impl IntoIterator<Item = (N, V)> + Send,
    ) -> Result<Storage> {
        let mut url = self.parse(url)?;
        for (name, value) in options {
            url.push_option(name.as_ref(), value.as_ref()).map_err(opening)?;
        }
        self.open_url(&url).await.map(Storage::from_arc).map_err(opening)
    }

    /// Opens the storage a URL names under layers, named from the application down to the medium, such as
    /// `compress(codec=zstd,level=3),encrypt(key_file=/etc/key),cache`. [`LAYERS`](crate::LAYERS) are all of them. Values with commas or
    /// parentheses stand in quotes.
    ///
    /// # Errors
    /// As [`open`](Self::open); `InvalidArgument` for an unknown layer or option, naming the known ones, and for a wrong order, naming the
    /// right one; `Unsupported` naming the feature for a layer that was not built in; those of the layers.
    pub async fn open_with_layers(&self, url: &str, layers: &str) -> Result<Storage> {
        let list = LayerList::parse(layers)?;
        list.check()?;
        let adapter = self
            .open_bare(&self.parse(url)?, Some(&list))
            .await
            .map_err(opening)?;
        Ok(Storage::from_arc(adapter))
    }

    /// Opens the storage a URL names under the layers of `STORAGE_LAYERS`, unless the URL names its own.
    ///
    /// # Errors
    /// As [`open_with_layers`](Self::open_with_layers); `InvalidArgument` where the variable is set but empty.
    pub async fn open_under_layers_from_env(&self, url: &str) -> Result<Storage> {
        let url = self.parse(url)?;
        let own = url.options().any(|(name, _)| name == layers::OPTION);
        let layers = if own {
            None
        } else {
            environment::layers(environment::of_process).map_err(opening)?
        };
        let adapter = self.open_bare(&url, layers.as_ref()).await.map_err(|error| {
            let error = opening(error);
            match layers {
                Some(_) => error.with_context("variable", environment::LAYERS),
                None => error,
            }
        })?;
        Ok(Storage::from_arc(adapter))
    }

    /// Opens one storage on two backends: objects from the first, documents and logs from the second. No atomicity across the
    /// two is claimed; see [`Composed`].
    ///
    /// # Errors
    /// As [`open`](Self::open), for either.
    pub async fn open_pair(&self, objects_url: &str, documents_url: &str) -> Result<Storage> {
        let (objects, documents) = (self.parse(objects_url)?, self.parse(documents_url)?);
        let composed = self
            .open_composed(&objects, &documents, None)
            .await
            .map_err(opening)?;
        Ok(Storage::from_arc(composed))
    }

    /// Opens the adapter a URL names, without the checks of [`Storage`]: for layers and the conformance suite.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_adapter(&self, url: &str) -> Result<Arc<dyn StorageAdapter>> {
        self.open_url(&self.parse(url)?).await.map_err(opening)
    }

    /// Opens the adapter a URL names under no layer, sealed or not: for whoever looks after the keys of what is sealed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_below_layers(&self, url: &StorageUrl) -> Result<Arc<dyn StorageAdapter>> {
        let (bare, _) = apart(url).map_err(opening)?;
        let scheme = self.known(url.with_secrets(), url.scheme()).map_err(opening)?;
        scheme.open(bare).await.map_err(opening)
    }

    /// The same for a pair, whose keys lie beside its objects; with the keys of those objects that are files of the pair's database, where
    /// that lies in the directory of the objects.
    ///
    /// # Errors
    /// As [`open`](Self::open), for either.
    pub async fn open_pair_below_layers(
        &self,
        objects: &StorageUrl,
        documents: &StorageUrl,
    ) -> Result<(Arc<dyn StorageAdapter>, Vec<String>)> {
        let first = self.open_below_layers(objects).await?;
        let second = match self.open_below_layers(documents).await {
            Ok(second) => second,
            Err(error) => {
                close_first(&first).await;
                return Err(error);
            }
        };
        let pair = Arc::new(Composed::new(first, second));
        Ok((pair, database_files(objects, documents)))
    }

    /// Takes a URL apart and makes sure that it can be opened here, as far as can be known without opening it.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for those of the backend.
    pub fn parse(&self, url: &str) -> Result<StorageUrl> {
        self.read(url).map_err(opening)
    }

    pub(crate) fn read(&self, url: &str) -> Result<StorageUrl> {
        // The scheme first: what this program has is a better answer than what the rest of the URL looks like.
        let (scheme, _) = split_scheme(url).map_err(|problem| refused(url, &problem))?;
        let scheme = self.known(url, &scheme.to_ascii_lowercase())?;
        let url = StorageUrl::parse(url)?;
        let (bare, _) = apart(&url)?;
        Address::read(bare, scheme.option_table(), scheme.other_options_of())?;
        Ok(url)
    }

    /// Opens what the environment names: see [`VARIABLES`](crate::VARIABLES).
    ///
    /// # Errors
    /// As [`choose_from_env`](Self::choose_from_env) and [`open`](Self::open).
    pub async fn open_from_env(&self) -> Result<Storage> {
        self.open_choice(&self.choose_from_env()?).await
    }

    /// Opens what these variables name: [`open_from_env`](Self::open_from_env) without touching the environment of the process.
    ///
    /// # Errors
    /// As [`open_from_env`](Self::open_from_env).
    pub async fn open_from(&self, variables: impl Fn(&str) -> Option<String> + Send) -> Result<Storage> {
        let choice = self.choose_from(variables)?;
        self.open_choice(&choice).await
    }

    /// What the environment names, and which variable decided it.
    ///
    /// # Errors
    /// `InvalidArgument` for variables that contradict each other, are empty or are not UTF-8, naming them; as
    /// [`parse`](Self::parse) for a URL, naming its variable.
    pub fn choose_from_env(&self) -> Result<Choice> {
        environment::choose(self, environment::of_process)
    }

    /// What these variables name, and which of them decided it.
    ///
    /// # Errors
    /// As [`choose_from_env`](Self::choose_from_env).
    pub fn choose_from(&self, variables: impl Fn(&str) -> Option<String>) -> Result<Choice> {
        environment::choose(self, |name| Ok(variables(name)))
    }

    /// Opens what was chosen.
    ///
    /// # Errors
    /// As [`open`](Self::open), with the variable that decided as context `variable`.
    pub async fn open_choice(&self, choice: &Choice) -> Result<Storage> {
        let layers = choice.layer_list();
        let opened = match choice.urls() {
            (objects, Some(documents)) => self.open_composed(objects, documents, layers).await,
            (url, None) => self.open_bare(url, layers).await,
        };
        opened.map(Storage::from_arc).map_err(|error| choice.stamp(error))
    }

    /// The pair under these layers, or under those its URLs name, each over its own part.
    async fn open_composed(
        &self,
        objects: &StorageUrl,
        documents: &StorageUrl,
        layers: Option<&LayerList>,
    ) -> Result<Arc<dyn StorageAdapter>> {
        let (first, first_layers) = self.open_part(objects).await?;
        let (second, second_layers) = match self.open_part(documents).await {
            Ok(second) => second,
            Err(error) => {
                close_first(&first).await;
                return Err(error);
            }
        };
        let composed: Arc<dyn StorageAdapter> = Arc::new(Composed::new(first, second));
        if !first_layers && !second_layers {
            return layers::over(self, composed, layers).await;
        }
        if layers.is_none() {
            return Ok(composed);
        }
        composed.close().await?;
        let problem = "layers are named in the URL and beside it; name them once";
        Err(refused(objects.with_secrets(), problem))
    }

    /// One of a pair, and whether layers are over it.
    async fn open_part(&self, url: &StorageUrl) -> Result<(Arc<dyn StorageAdapter>, bool)> {
        let (bare, own) = apart(url)?;
        let adapter = self.known(url.with_secrets(), url.scheme())?.open(bare).await?;
        match own {
            None => Ok((adapter, false)),
            Some(list) => {
                let layered = layers::over(self, adapter, Some(&list)).await?;
                Ok((layered, true))
            }
        }
    }

    async fn open_url(&self, url: &StorageUrl) -> Result<Arc<dyn StorageAdapter>> {
        self.open_bare(url, None).await
    }

    /// Opens the adapter of a URL under the layers it names, or these. Naming them twice is refused: nobody could say which are over which.
    async fn open_bare(
        &self,
        url: &StorageUrl,
        layers: Option<&LayerList>,
    ) -> Result<Arc<dyn StorageAdapter>> {
        let (bare, own) = apart(url)?;
        if own.is_some() && layers.is_some() {
            let problem = "layers are named in the URL and beside it; name them once";
            return Err(refused(url.with_secrets(), problem));
        }
        let adapter = self.known(url.with_secrets(), url.scheme())?.open(bare).await?;
        layers::over(self, adapter, layers.or(own.as_ref())).await
    }

    fn known(&self, url: &str, scheme: &str) -> Result<&Scheme> {
        let found = self.scheme(scheme);
        found.ok_or_else(|| missing(url, scheme, self.schemes.iter().flat_map(Scheme::names)))
    }
}

/// Nothing was written; what matters to the caller is why there is no storage.
async fn close_first(objects: &Arc<dyn StorageAdapter>) {
    if let Err(closing) = objects.close().await {
        tracing::warn!(error = %closing, "the objects backend could not be closed again");
    }
}

/// The keys under which a directory of objects shows the files of a SQLite database that lies in it.
fn database_files(objects: &StorageUrl, documents: &StorageUrl) -> Vec<String> {
    if objects.scheme() != "fs" && objects.scheme() != "file" || documents.scheme() != "sqlite" {
        return Vec::new();
    }
    let whole = |path: &str| std::path::absolute(path).and_then(|path| path.canonicalize().or(Ok(path)));
    let (Ok(directory), Ok(database)) = (whole(objects.path()), whole(documents.path())) else {
        return Vec::new();
    };
    match database
        .strip_prefix(&directory)
        .ok()
        .and_then(std::path::Path::to_str)
    {
        Some(key) => ["", "-journal", "-shm", "-wal"]
            .map(|end| format!("{key}{end}"))
            .into(),
        None => Vec::new(),
    }
}

/// A URL without the layers it names, and those.
fn apart(url: &StorageUrl) -> Result<(StorageUrl, Option<LayerList>)> {
    let Some((_, text)) = url.options().find(|(name, _)| *name == layers::OPTION) else {
        return Ok((url.clone(), None));
    };
    let list = LayerList::parse(text)?;
    list.check()?;
    let bare = StorageUrl::parse(&url.without_options(|name| name == layers::OPTION))?;
    Ok((bare, Some(list)))
}

fn opening(error: Error) -> Error {
    error.with_operation("open storage")
}

#[cfg(test)]
mod tests;
