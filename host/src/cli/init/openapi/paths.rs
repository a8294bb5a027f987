//! Names of resources, their parents, and values to fill in, derived from paths.

use super::super::names::plain;

/// A list that may be the parent of others.
#[derive(Debug)]
pub(super) struct Above {
    /// The path in the description.
    pub(super) path: String,
    /// The path in the job.
    pub(super) in_job: String,
    /// The resource.
    pub(super) name: String,
    /// The key of its records, without fields of the parent.
    pub(super) key: Option<String>,
    /// The properties of its records.
    pub(super) properties: Vec<String>,
}

/// A path as a job writes it.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Placed {
    /// The path, with fields of the parent's records.
    pub(super) path: String,
    /// The parent, and the fields of its records in the path.
    pub(super) parent: Option<(String, Vec<String>)>,
    /// Placeholders in the path that are not fields of a parent.
    pub(super) open: Vec<String>,
}

/// A path in the form of a job: a placeholder becomes a field of the parent's records, if the
/// parent is known.
pub(super) fn place(path: &str, known: &[&Above]) -> Placed {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let found = segments.iter().enumerate().rev().find_map(|(at, segment)| {
        let parameter =
            segment.strip_prefix('{')?.strip_suffix('}').filter(|it| !it.contains('{'))?;
        let list = segments.get(..at)?;
        let above = known.iter().find(|it| same(&it.path, list))?;
        Some((at, above, above.field(parameter)?))
    });
    let mut placed = Placed::default();
    let mut in_job: Vec<String> = segments.iter().map(|&it| it.to_owned()).collect();
    if let Some((at, above, field)) = found {
        let mut fields = Vec::new();
        // The records of the parent have the fields of its own parent.
        for (segment, upper) in in_job.iter_mut().zip(above.in_job.split('/')).take(at) {
            if let Some((parent, field)) = of_record(upper) {
                let field = format!("_{parent}_{field}");
                *segment = format!("{{resources.{}.{field}}}", above.name);
                fields.push(field);
            }
        }
        if let Some(segment) = in_job.get_mut(at) {
            *segment = format!("{{resources.{}.{field}}}", above.name);
        }
        fields.push(field);
        placed.parent = Some((above.name.clone(), fields));
    }
    for segment in in_job.iter().filter(|segment| of_record(segment).is_none()) {
        placed.open.extend(placeholders(segment).map(str::to_owned));
    }
    // An empty path is the base URL.
    placed.path =
        Some(in_job.join("/")).filter(|it| !it.is_empty()).unwrap_or_else(|| "/".to_owned());
    placed
}

/// The names in braces.
pub(super) fn placeholders(segment: &str) -> impl Iterator<Item = &str> {
    segment.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

impl Above {
    /// The field of the records that a parameter refers to: one with its name, or with its name
    /// minus the resource's, or the key, if the parameter is an id or the singular of the
    /// resource's name. Without a key it is the name.
    fn field(&self, parameter: &str) -> Option<String> {
        let parameter = plain(parameter);
        let resource = plain(&self.name);
        let named = |name: &str| self.properties.iter().find(|it| plain(it) == name);
        let of_resource = || {
            self.properties.iter().find(|property| {
                let owner = parameter.strip_suffix(&plain(property)).unwrap_or_default();
                // `floating_ip` is the field `ip` of `floating_ips`.
                is_singular(owner, &resource) || (owner.len() > 2 && resource.starts_with(owner))
            })
        };
        let singular = is_singular(&parameter, &resource);
        let id = ["id", "key"].iter().any(|end| parameter.ends_with(end));
        let key = || self.key.as_ref().filter(|_| id || singular);
        let name = || ["name", "slug"].iter().find_map(|it| named(it)).filter(|_| singular);
        named(&parameter).or_else(of_resource).or_else(key).or_else(name).cloned()
    }
}

/// Returns `true` if one name is the singular of another: `policy` of `policies`. The other one may
/// begin with more words, as in `accounts_calls`.
fn is_singular(one: &str, all: &str) -> bool {
    let y = one.strip_suffix('y').map(|begin| format!("{begin}ies"));
    let plurals = ["", "s", "es", "ren"].map(|end| format!("{one}{end}"));
    !one.is_empty() && plurals.iter().chain(&y).any(|plural| all.ends_with(plural.as_str()))
}

/// Returns `true` if a path is that of the list at these segments: `/users.json` is the list of
/// `/users/{id}`.
fn same(path: &str, list: &[&str]) -> bool {
    let (folder, last) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    segments_of(folder)
        .chain(segments_of(without_kind(last)))
        .eq(list.iter().copied().filter(|it| !it.is_empty()))
}

/// A path segment without `.json` or `.xml`.
fn without_kind(part: &str) -> &str {
    [".json", ".xml"].iter().find_map(|end| part.strip_suffix(end)).unwrap_or(part)
}

fn segments_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|it| !it.is_empty())
}

/// The parent and the field of a segment such as `{resources.users.id}`.
fn of_record(segment: &str) -> Option<(&str, &str)> {
    segment.strip_prefix("{resources.")?.strip_suffix('}')?.split_once('.')
}

/// A name from the last path segment. Earlier segments, then a number, are added until the name is
/// unique.
pub(super) fn name_of<'n>(path: &str, taken: impl Iterator<Item = &'n str>) -> String {
    let word = |part: &str| {
        without_kind(part)
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '_' })
            .collect::<String>()
    };
    let taken: Vec<String> = taken.map(plain).collect();
    let free = |name: &String| !taken.contains(&plain(name));
    let parts: Vec<String> =
        path.split('/').filter(|it| !it.is_empty() && !it.contains('{')).map(word).collect();
    let parts = if parts.is_empty() { vec!["items".to_owned()] } else { parts };
    let whole = parts.join("_");
    let lengths = (1..=parts.len()).filter_map(|count| parts.get(parts.len() - count..));
    let names = lengths.map(|parts| parts.join("_"));
    let numbered = (2..).map(|number| format!("{whole}_{number}"));
    names.chain(numbered).find(free).unwrap_or_else(|| whole.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_paths() {
        let check = |path: &str, taken: &[&str], name: &str| {
            assert_eq!(name_of(path, taken.iter().copied()), name, "{path}");
        };
        check("/v1/users", &[], "users");
        check("/teams/{id}/users", &["users"], "teams_users");
        check("/teams/{id}/users", &["Users", "teams_users"], "teams_users_2");
        check("/v1/teams/{id}/users", &["users"], "teams_users");
        check("/", &[], "items");
        check("/rest/odd-names.json", &[], "odd_names");
        check("/users.list", &[], "users_list");
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn parents_are_found() {
        let above =
            |path: &str, in_job: &str, name: &str, key: Option<&str>, properties: &[&str]| Above {
                path: path.to_owned(),
                in_job: in_job.to_owned(),
                name: name.to_owned(),
                key: key.map(str::to_owned),
                properties: properties.iter().map(|&it| it.to_owned()).collect(),
            };
        let known = [
            above(
                "/v1/Accounts.json",
                "v1/Accounts.json",
                "Accounts",
                Some("sid"),
                &["sid", "name"],
            ),
            above(
                "/v1/Accounts/{AccountSid}/Calls.json",
                "v1/Accounts/{resources.Accounts.sid}/Calls.json",
                "Calls",
                Some("sid"),
                &["sid"],
            ),
            above(
                "/repos/{owner}/issues",
                "repos/{owner}/issues",
                "issues",
                Some("id"),
                &["id", "number"],
            ),
            above("/policies", "policies", "policies", None, &["name"]),
            above("/floating_ips", "floating_ips", "floating_ips", None, &["ip"]),
            above("/items/", "items/", "items", None, &["a"]),
        ];
        let check = |path: &str, in_job: &str, parent: Option<(&str, &[&str])>, open: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
            let expected = Placed {
                path: in_job.to_owned(),
                parent: parent.map(|(name, fields)| (name.to_owned(), owned(fields))),
                open: owned(open),
            };
            assert_eq!(place(path, &known.iter().collect::<Vec<_>>()), expected);
        };
        check("/", "/", None, &[]);
        check("/v2/Accounts.json", "v2/Accounts.json", None, &[]);
        check(
            "/v1/Accounts/{AccountSid}/Messages.json",
            "v1/Accounts/{resources.Accounts.sid}/Messages.json",
            Some(("Accounts", &["sid"])),
            &[],
        );
        // The calls have the key of the account as a field.
        check(
            "/v1/Accounts/{AccountSid}/Calls/{CallSid}/Events/{Kind}.json",
            "v1/Accounts/{resources.Calls._Accounts_sid}/Calls/{resources.Calls.sid}/Events/{Kind}.json",
            Some(("Calls", &["_Accounts_sid", "sid"])),
            &["Kind"],
        );
        check(
            "/repos/{owner}/issues/{issue_number}/comments",
            "repos/{owner}/issues/{resources.issues.number}/comments",
            Some(("issues", &["number"])),
            &["owner"],
        );
        check(
            "/policies/{policy_name}/x",
            "policies/{resources.policies.name}/x",
            Some(("policies", &["name"])),
            &[],
        );
        check(
            "/policies/{policy}/x",
            "policies/{resources.policies.name}/x",
            Some(("policies", &["name"])),
            &[],
        );
        check(
            "/floating_ips/{floating_ip}/x",
            "floating_ips/{resources.floating_ips.ip}/x",
            Some(("floating_ips", &["ip"])),
            &[],
        );
        check("/policies/{owner}/x", "policies/{owner}/x", None, &["owner"]);
        // No field of the list matches.
        check("/items/{id}/x", "items/{id}/x", None, &["id"]);
        check("/compare/{base}...{head}/x", "compare/{base}...{head}/x", None, &["base", "head"]);
    }

    #[test]
    fn singulars_are_known() {
        let check = |one: &str, all: &str, expected: bool| {
            assert_eq!(is_singular(one, all), expected, "{one}")
        };
        check("policy", "policies", true);
        check("account", "accounts", true);
        check("call", "accountscalls", true);
        check("child", "children", true);
        check("status", "statuses", true);
        check("ref", "reposcommits", false);
        check("account", "accountscalls", false);
        check("team", "users", false);
        check("", "users", false);
    }
}
