//! The compiled component, ready for any number of runs on any number of threads.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Store};

use crate::error::Error;
use crate::interface::{Loader, LoaderPre};
use crate::limits::{Limits, Memory, Watchdog};

/// Snowcat's component, which this crate was built with.
pub const COMPONENT: &[u8] = include_bytes!(env!("SNOWCAT_COMPONENT_PATH"));

/// The settings for compiling the component.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Caches the compiled code in the user's cache directory, which reduces seconds to
    /// milliseconds. On by default. Without such a directory it is compiled each time.
    pub cache: bool,
    /// Counts fuel, for [`Limits::fuel`]. This costs some speed. Off by default.
    pub fuel: bool,
    /// Compiles in the checks that [`Limits::time`] needs to end a slow step. They cost a tenth of
    /// the speed. On by default. Without them something else must be able to end the whole run, as
    /// the statement time-out does for a procedure.
    pub watch: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cache: true, fuel: false, watch: true }
    }
}

/// The compiled component. Clones are cheap and share everything.
///
/// ```
/// use snowcat_host::{Engine, Settings};
///
/// # fn main() -> Result<(), snowcat_host::Error> {
/// let engine = Engine::new(&Settings::default())?;
/// assert!(engine.imports().is_empty());
/// assert!(Engine::with_component(&Settings::default(), b"no component").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    loader: LoaderPre<Memory>,
    imports: Vec<String>,
    watchdog: Watchdog,
    settings: Settings,
}

impl Engine {
    /// Compiles [`COMPONENT`].
    ///
    /// # Errors
    /// [`Error::Component`] if the machine cannot run it.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        Self::with_component(settings, COMPONENT)
    }

    /// Compiles another component: its bytes or its text.
    ///
    /// # Errors
    /// [`Error::Component`] if it is not a component, does not export the interface, or imports
    /// anything: the linker is empty, because a load has no capabilities.
    pub fn with_component(settings: &Settings, component: &[u8]) -> Result<Self, Error> {
        let mut config = Config::new();
        config.epoch_interruption(settings.watch).consume_fuel(settings.fuel);
        if settings.cache {
            // Without a cache directory everything works, only slower.
            config.cache(Cache::new(CacheConfig::new()).ok());
        }
        let engine = wasmtime::Engine::new(&config)
            .map_err(|e| Error::component("no engine can be had on this machine", e))?;
        let component = Component::new(&engine, component)
            .map_err(|e| Error::component("expected a WebAssembly component", e))?;
        let imports: Vec<String> =
            component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
        if let Some(import) = imports.first() {
            return Err(Error::Component {
                message: format!(
                    "expected a component without imports, found one that imports {import}"
                ),
                source: None,
            });
        }
        let loader = Linker::new(&engine)
            .instantiate_pre(&component)
            .and_then(LoaderPre::new)
            .map_err(|e| Error::component("expected the interface snowcat:loader/loads", e))?;
        let watchdog = Watchdog::new(engine.clone()).map_err(|e| Error::Component {
            message: format!("the watchdog's thread cannot be started: {e}"),
            source: Some(Box::new(e)),
        })?;
        Ok(Self(Arc::new(Inner { engine, loader, imports, watchdog, settings: *settings })))
    }

    /// The imports of the component: none.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// The settings it was compiled with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn watchdog(&self) -> &Watchdog {
        &self.0.watchdog
    }

    /// A fresh instance.
    pub(crate) fn instantiate(&self, limits: &Limits) -> wasmtime::Result<(Store<Memory>, Loader)> {
        let mut store = Store::new(&self.0.engine, Memory::new(limits.memory));
        store.limiter(|memory| memory);
        store.set_epoch_deadline(Watchdog::ticks(limits.time));
        if let Some(fuel) = limits.fuel.or(self.0.settings.fuel.then_some(u64::MAX)) {
            store.set_fuel(fuel)?;
        }
        let loader = self.0.loader.instantiate(&mut store)?;
        Ok((store, loader))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
