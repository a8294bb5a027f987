//! Boards and their sprints, as the agile API gives them.

use serde_json::{Value, json};

use super::catalogue::{FIRST_SPRINT, PROJECTS, SPRINT_DAYS};
use crate::generators::time::utc_millis;

/// How many boards there are: one for each project in use, and a kanban board.
pub const BOARDS: u64 = 6;
/// How many sprints there are, over all boards.
const SPRINTS: u64 = 120;

/// The board at this index. Its number is one more.
pub fn board(index: u64, origin: &str) -> Value {
    let (id, at) = (index + 1, index as usize % PROJECTS.len());
    let project = PROJECTS[at];
    json!({
        "id": id,
        "self": format!("{origin}/rest/agile/1.0/board/{id}"),
        "name": format!("{} board", project.name),
        "type": if id == BOARDS { "kanban" } else { "scrum" },
        "location": {
            "projectId": 10_000 + at,
            "displayName": format!("{} ({})", project.name, project.key),
            "projectName": project.name,
            "projectKey": project.key,
            "projectTypeKey": "software",
            "name": format!("{} ({})", project.name, project.key),
        },
        "isPrivate": false,
    })
}

/// The sprints of the board of this number, the oldest first; none where a board has no sprints.
pub fn board_sprints(board: u64, origin: &str) -> Option<Vec<Value>> {
    let of_board = |id: &u64| 1 + id % 5 == board;
    (board != BOARDS).then(|| (1..=SPRINTS).filter(of_board).map(|id| sprint(id, origin)).collect())
}

fn sprint(id: u64, origin: &str) -> Value {
    let begin = FIRST_SPRINT + id as i64 * SPRINT_DAYS * super::DAY;
    let mut sprint = json!({
        "id": id,
        "self": format!("{origin}/rest/agile/1.0/sprint/{id}"),
        "state": if id < 110 { "closed" } else if id < 112 { "active" } else { "future" },
        "name": format!("PLAT Sprint {id}"),
        "createdDate": utc_millis(begin - 3 * super::DAY),
        "originBoardId": 1 + id % 5,
        "goal": if id.is_multiple_of(3) { String::new() } else { format!("Goal of sprint {id}.") },
    });
    if id < 112 {
        sprint["startDate"] = utc_millis(begin + 411).into();
        sprint["endDate"] = utc_millis(begin + SPRINT_DAYS * super::DAY).into();
    }
    if id < 110 {
        let end = begin + SPRINT_DAYS * super::DAY + 100_123;
        sprint["completeDate"] = utc_millis(end).into();
    }
    sprint
}
