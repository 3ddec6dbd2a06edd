//! [`Sealing`]: which keys values are encrypted with, and which values.

use storage_core::Result;
use storage_layers::encryption::{Key, KeyProvider, PassphraseParameters, Suite};

/// Which keys values are encrypted with, and which values.
///
/// Each namespace has a key of its own, random, kept in the namespace sealed under the key given here. Values are sealed with AEAD, bound to
/// namespace, key and form, so none can be put in the place of another. Keys of entries, sizes and times are not hidden.
///
/// Where encryption is on, wrong and missing keys are refused when the namespace is opened (`Unauthenticated`). With [`all`](Self::all) a
/// value that was stored without is an error when it is read (`Corrupt`), until [`rotate`](super::Kv::rotate) has encrypted it.
#[derive(Debug, Clone)]
pub struct Sealing {
    key: KeyProvider,
    former: Vec<KeyProvider>,
    suite: Suite,
    all: bool,
}

impl Sealing {
    /// Encrypts every value.
    pub fn all(key: KeyProvider) -> Self {
        Self {
            key,
            former: Vec::new(),
            suite: Suite::default(),
            all: true,
        }
    }

    /// Encrypts the values that [ask for it](super::SetOptions::encrypt).
    pub fn chosen(key: KeyProvider) -> Self {
        Self {
            all: false,
            ..Self::all(key)
        }
    }

    /// A key the namespace's own may still be sealed under. [`rotate`](super::Kv::rotate) brings everything to the new one.
    #[must_use]
    pub fn formerly(mut self, key: KeyProvider) -> Self {
        self.former.push(key);
        self
    }

    /// What new values are sealed with; AES-256-GCM by default.
    #[must_use]
    pub const fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    pub(super) const fn is_for_all(&self) -> bool {
        self.all
    }

    pub(super) const fn its_suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn needs_parameters(&self) -> bool {
        self.key.is_passphrase() || self.former.iter().any(KeyProvider::is_passphrase)
    }

    /// The keys, the present one first. Takes as long as the slowest provider.
    pub(super) async fn load(&self, parameters: Option<PassphraseParameters>) -> Result<Vec<Key>> {
        let providers: Vec<KeyProvider> = std::iter::once(&self.key).chain(&self.former).cloned().collect();
        super::value::off_thread(move || {
            providers
                .iter()
                .map(|provider| provider.load(parameters.as_ref()))
                .collect()
        })
        .await
    }
}
