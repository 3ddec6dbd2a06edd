//! Layers chosen by name: `STORAGE_LAYERS`, the option `layers` of every URL, and [`Factory::open_with_layers`].

#[cfg(feature = "layers")]
mod build;
mod list;
mod table;

use std::sync::Arc;

use storage_core::{Error, ErrorKind, Result, StorageAdapter};

pub(crate) use self::list::LayerList;
use self::list::{Named, refused};
pub use self::table::{LAYERS, LayerOptions};
use crate::factory::Factory;
use crate::option::Values;

/// The option of URLs that names layers.
pub(crate) const OPTION: &str = "layers";

/// A layer and its options, all known and with values that can be.
#[derive(Debug)]
#[cfg_attr(not(feature = "layers"), allow(dead_code, reason = "no layer can be built"))]
struct Chosen {
    layer: &'static LayerOptions,
    values: Values,
}

impl LayerList {
    /// Makes sure that these layers can be put over something here, as far as can be known without doing it.
    pub(crate) fn check(&self) -> Result<()> {
        let chosen = self.chosen()?;
        #[cfg(feature = "layers")]
        build::check_order(&chosen)?;
        drop(chosen);
        Ok(())
    }

    fn chosen(&self) -> Result<Vec<Chosen>> {
        self.0.iter().map(choose).collect()
    }
}

/// Puts layers over an adapter; without a list, makes sure that none is missing. A layer that seals documents leaves the fields readable
/// that the factory [knows to be searched for](Factory::searching).
pub(crate) async fn over(
    factory: &Factory,
    adapter: Arc<dyn StorageAdapter>,
    layers: Option<&LayerList>,
) -> Result<Arc<dyn StorageAdapter>> {
    #[cfg(feature = "layers")]
    let opened = build::over(factory, Arc::clone(&adapter), layers).await;
    #[cfg(not(feature = "layers"))]
    let opened = {
        let _ = factory;
        // A list with any layer in it is refused by its first.
        layers
            .map_or(Ok(()), LayerList::check)
            .map(|()| Arc::clone(&adapter))
    };
    if opened.is_err()
        && let Err(closing) = adapter.close().await
    {
        tracing::warn!(error = %closing, "what is below the layers could not be closed again");
    }
    opened
}

fn choose(named: &Named) -> Result<Chosen> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == named.name) else {
        let known: Vec<_> = LAYERS.iter().map(|layer| layer.name).collect();
        let message = format!(
            "there is no layer {:?}; there are {}",
            named.name,
            known.join(", ")
        );
        return Err(refused(message));
    };
    if !layer.compiled {
        let message = format!(
            "the layer {} is not in this program; build it with the feature `{}` of storage-factory",
            layer.name, layer.feature
        );
        return Err(Error::new(ErrorKind::Unsupported, message).with_operation("read the list of layers"));
    }
    let mut values = Values::default();
    for (name, text) in &named.options {
        let Some(option) = layer.options.iter().find(|option| option.name == *name) else {
            let known: Vec<_> = layer.options.iter().map(|option| option.name).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(refused(format!(
                "{} has no option {name:?}; it takes {known}",
                layer.name
            )));
        };
        if !values.take(option, text) {
            // The value is not shown: somebody may have written a key where its file belongs.
            return Err(refused(format!(
                "option {name:?} of {} cannot be what is given; it is: {}",
                layer.name, option.kind
            )));
        }
    }
    Ok(Chosen { layer, values })
}
