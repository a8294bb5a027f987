//! The list in the response of an operation.

use serde_json::Value;

use super::super::names::{RECORD_KEYS, is_next, is_next_link, key_rank, plain};
use super::super::schema::{Properties, Schemas, text};

/// A list in the response of an operation.
pub(super) struct List<'d> {
    pub(super) path: Vec<String>,
    /// The properties of its elements.
    pub(super) record: Properties<'d>,
    /// The properties outside of the list, with their paths.
    pub(super) beside: Vec<(Vec<String>, &'d Value)>,
    /// Whether the response has a `Link` header.
    pub(super) link_header: bool,
}

impl<'d> List<'d> {
    pub(super) fn of(schemas: &Schemas<'d>, operation: &'d Value) -> Option<Self> {
        let responses = schemas.resolve(operation.get("responses")?).as_object()?;
        let response = ["200", "2XX", "201", "default"].iter().find_map(|it| responses.get(*it))?;
        let response = schemas.resolve(response);
        let schema = match response.get("content").and_then(Value::as_object) {
            Some(content) => content
                .iter()
                .find(|(kind, _)| kind.contains("json") || *kind == "*/*")?
                .1
                .get("schema")?,
            None => response.get("schema")?,
        };
        let mut lists = schemas.lists(schema);
        let named =
            |path: &[String]| path.last().is_none_or(|key| RECORD_KEYS.contains(&key.as_str()));
        // A list inside an entity is not a list of entities. A page with a usual key may have an
        // id.
        lists.retain(|(path, _)| {
            (path.len() == 1 && named(path)) || !is_in_entity(schemas, schema, path)
        });
        let (path, record) = lists.iter().find(|(path, _)| named(path)).or(lists.first())?.clone();
        let headers = response.get("headers").and_then(Value::as_object);
        Some(Self {
            path,
            record: schemas.properties(record),
            beside: schemas.scalars(schema),
            link_header: headers
                .is_some_and(|it| it.keys().any(|k| k.eq_ignore_ascii_case("link"))),
        })
    }

    /// Returns `true` if the object of the response has an id.
    pub(super) fn is_in_entity(&self) -> bool {
        self.beside.iter().any(|(path, _)| matches!(path.as_slice(), [name] if is_id(name)))
    }

    /// The property that is most likely the key.
    pub(super) fn key(&self, resource: &str) -> Option<String> {
        let ranked =
            self.record.iter().filter_map(|(name, _)| Some((key_rank(name, resource)?, *name)));
        ranked.min().map(|(_, name)| name.to_owned())
    }

    /// A property outside of the list that has one of these names and passes `fits`.
    pub(super) fn find(&self, names: &[&str], fits: impl Fn(&Value) -> bool) -> Option<&[String]> {
        names.iter().find_map(|name| {
            let named = |path: &[String]| path.last().is_some_and(|key| plain(key) == plain(name));
            let found = self.beside.iter().find(|(path, schema)| named(path) && fits(schema));
            found.map(|(path, _)| path.as_slice())
        })
    }

    /// The path of the next page's URL.
    pub(super) fn next_link(&self) -> Option<&[String]> {
        let link =
            |path: &[String], schema| is_next_link(path) || (is_next(path) && is_url(schema));
        let found = self.beside.iter().find(|(path, schema)| link(path, schema));
        found.map(|(path, _)| path.as_slice())
    }
}

/// Returns `true` if one of the objects around a list has an id.
fn is_in_entity<'d>(schemas: &Schemas<'d>, schema: &'d Value, path: &[String]) -> bool {
    let mut holder = Some(schema);
    path.iter().any(|key| {
        let properties = holder.map(|it| schemas.properties(it)).unwrap_or_else(|| [].into());
        holder = properties.iter().find(|(name, _)| name == key).map(|(_, value)| *value);
        properties.iter().any(|(name, _)| is_id(name))
    })
}

fn is_id(name: &str) -> bool {
    matches!(plain(name).as_str(), "id" | "uuid")
}

/// Returns `true` if values are URLs by the format or an example.
pub(super) fn is_url(schema: &Value) -> bool {
    let begins =
        |key: &str, begin: &str| text(schema.get(key)).is_some_and(|it| it.starts_with(begin));
    begins("format", "ur") || begins("example", "https://") || begins("example", "http://")
}
