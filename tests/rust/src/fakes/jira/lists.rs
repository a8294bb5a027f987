//! The lists of Jira with pages by `startAt` and `maxResults`.

use serde_json::{Value, json};

use super::super::http::{Request, Response};
use super::{Jira, refusal};
use crate::generators::jira::{
    BOARDS, PEOPLE, PROJECTS, board, board_sprints, project_detail, user,
};

/// Answers a GET of the address with these segments.
pub(super) fn answer(
    request: &Request,
    path: &[&str],
    jira: &Jira,
    origin: &str,
) -> Result<Response, Response> {
    match path {
        ["rest", "api", "3", "project", "search"] => projects(request, origin),
        // A list without a surrounding object.
        ["rest", "api", "3", "users", "search"] => {
            let window = Window::read(request, 50, 1000)?;
            Ok(Response::value(200, &window.of(PEOPLE as usize, |at| Some(user(at as u64))).into()))
        }
        ["rest", "api", "3", "issue", issue, list] => of_issue(request, jira, origin, issue, list),
        ["rest", "agile", "1.0", "board"] => {
            let window = Window::read(request, 50, 50)?;
            let kind = request.parameter("type");
            let boards = (0..BOARDS)
                .map(|at| board(at, origin))
                .filter(|board| kind.is_none_or(|kind| board["type"] == kind))
                .collect::<Vec<_>>();
            Ok(window.page(&boards, "values", true))
        }
        ["rest", "agile", "1.0", "board", board, "sprint"] => {
            let window = Window::read(request, 50, 50)?;
            let number = board.parse::<u64>().ok().filter(|number| (1..=BOARDS).contains(number));
            let number = number.ok_or_else(|| {
                refusal(404, "Board does not exist or you do not have permission to see it.")
            })?;
            let sprints = board_sprints(number, origin)
                .ok_or_else(|| refusal(400, "The board does not support sprints"))?;
            // This list has no total.
            Ok(window.page(&sprints, "values", false))
        }
        _ => Err(refusal(404, "There is nothing at this address.")),
    }
}

/// The complete list of an issue; a search returns its newest items only.
fn of_issue(
    request: &Request,
    jira: &Jira,
    origin: &str,
    name: &str,
    list: &str,
) -> Result<Response, Response> {
    let mut document = jira.site().document(name).ok_or_else(|| {
        refusal(404, "Issue does not exist or you do not have permission to see it.")
    })?;
    let items = |part: Value, key: &str| match part {
        Value::Object(mut part) => match part.remove(key) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    match list {
        "changelog" => {
            let window = Window::read(request, 100, 100)?;
            let mut histories = items(document["changelog"].take(), "histories");
            // The oldest first, unlike in a search.
            histories.reverse();
            let address = format!("{origin}/rest/api/3/issue/{name}/changelog");
            Ok(window.page_at(&address, &histories))
        }
        "comment" => {
            let comments = items(document["fields"]["comment"].take(), "comments");
            Ok(Window::read(request, 5000, 5000)?.plain_page(&comments, "comments"))
        }
        "worklog" => {
            let worklogs = items(document["fields"]["worklog"].take(), "worklogs");
            Ok(Window::read(request, 5000, 5000)?.plain_page(&worklogs, "worklogs"))
        }
        _ => Err(refusal(404, "There is nothing at this address.")),
    }
}

fn projects(request: &Request, origin: &str) -> Result<Response, Response> {
    let expand = request.parameter("expand").unwrap_or_default().split(',').collect::<Vec<_>>();
    let projects =
        (0..PROJECTS.len()).filter_map(|index| project_detail(index, &expand)).collect::<Vec<_>>();
    let window = Window::read(request, 50, 100)?;
    Ok(window.page_at(&format!("{origin}/rest/api/3/project/search"), &projects))
}

/// The requested part of a list.
#[derive(Clone, Copy)]
struct Window {
    start: usize,
    count: usize,
}

impl Window {
    fn read(request: &Request, default: usize, most: usize) -> Result<Self, Response> {
        let number =
            |name, default| request.number(name, default).map_err(|text| refusal(400, &text));
        let count = number("maxResults", default)?.clamp(1, most);
        Ok(Self { start: number("startAt", 0)?, count })
    }

    fn of(self, total: usize, item: impl Fn(usize) -> Option<Value>) -> Vec<Value> {
        (self.start..self.start.saturating_add(self.count).min(total)).filter_map(item).collect()
    }

    fn values(self, items: &[Value]) -> (Vec<Value>, bool) {
        let values = self.of(items.len(), |at| items.get(at).cloned());
        (values, self.start.saturating_add(self.count) >= items.len())
    }

    /// A page with `isLast`, and with the total if the list has one.
    fn page(self, items: &[Value], key: &str, total: bool) -> Response {
        let (values, last) = self.values(items);
        let mut page = json!({ "maxResults": self.count, "startAt": self.start, "isLast": last });
        if total {
            page["total"] = items.len().into();
        }
        page[key] = values.into();
        Response::value(200, &page)
    }

    /// A page with the addresses of this page and the next.
    fn page_at(self, address: &str, items: &[Value]) -> Response {
        let (values, last) = self.values(items);
        let at = |start: usize| format!("{address}?startAt={start}&maxResults={}", self.count);
        let mut page = json!({
            "self": at(self.start),
            "maxResults": self.count,
            "startAt": self.start,
            "total": items.len(),
            "isLast": last,
        });
        if !last {
            page["nextPage"] = at(self.start + self.count).into();
        }
        page["values"] = values.into();
        Response::value(200, &page)
    }

    /// A page with the total, without `isLast`.
    fn plain_page(self, items: &[Value], key: &str) -> Response {
        let (values, _) = self.values(items);
        let mut page =
            json!({ "startAt": self.start, "maxResults": self.count, "total": items.len() });
        page[key] = values.into();
        Response::value(200, &page)
    }
}
