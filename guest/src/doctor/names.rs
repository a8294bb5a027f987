//! The names in an examination: its schemas, and the dataset that it examines.

use super::options::Options;
use crate::dlt::naming::{Convention, Naming};
use crate::sql::Name;

/// The names in an examination.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    /// The database as options and jobs write it.
    pub(super) database_option: String,
    pub(super) database: String,
    /// The dataset of the load that is part of the examination.
    pub(super) dataset: String,
    pub(super) schema: Name,
    pub(super) staging: Name,
    /// The schemas of the examined dataset.
    pub(super) user_schemas: [Name; 2],
}

impl Scratch {
    pub(super) fn new(options: &Options) -> Self {
        // The naming convention of loads of this dataset.
        let convention = Convention { naming: Naming::SnakeCase, max_length: 255 };
        let given = &options.database;
        let exact = given.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let database = exact.map_or_else(|| convention.fold(given), str::to_owned);
        let user = convention.normalize_identifier(&options.dataset);
        let dataset = format!("{user}_snowcat_doctor");
        let schema = |name: &str| Name::schema(&database, &convention.fold(name));
        Self {
            schema: schema(&dataset),
            staging: schema(&format!("{dataset}_staging")),
            user_schemas: [schema(&user), schema(&format!("{user}_staging"))],
            database_option: given.clone(),
            database,
            dataset,
        }
    }

    /// An object of the scratch schema.
    pub(super) fn object(&self, name: &str) -> Name {
        self.schema.object(name)
    }
}
