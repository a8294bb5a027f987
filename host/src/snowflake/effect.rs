//! The effect of a statement on a transaction, by its first word.

/// The effect of a statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    /// It begins a transaction.
    Begin,
    /// It commits one.
    Commit,
    /// It rolls one back.
    Rollback,
    /// It reads. A PUT reads credentials.
    Read,
    /// It defines an object, which commits an open transaction first.
    Define,
    /// It drops a stage, and is otherwise as a definition.
    DropStage,
    /// Anything else, which may change something.
    Change,
}

impl Effect {
    pub(super) fn of(statement: &str) -> Self {
        let word = |text: &str| {
            let word = text.split(|c: char| !c.is_ascii_alphabetic()).next();
            word.unwrap_or_default().to_ascii_uppercase()
        };
        let mut words = statement.split_whitespace().map(word);
        match words.next().unwrap_or_default().as_str() {
            "BEGIN" => Self::Begin,
            "COMMIT" => Self::Commit,
            "ROLLBACK" => Self::Rollback,
            "DROP" if words.next().is_some_and(|word| word == "STAGE") => Self::DropStage,
            "ALTER" | "COMMENT" | "CREATE" | "DROP" | "GRANT" | "REVOKE" | "UNDROP" => Self::Define,
            "DESC" | "DESCRIBE" | "LIST" | "PUT" | "SELECT" | "SHOW" => Self::Read,
            _ => Self::Change,
        }
    }

    /// Returns `true` for the statements with which a load ends: those of its clean-up, and the COMMIT.
    pub(super) fn ends_a_load(self) -> bool {
        self == Self::Commit || self.cleans_up()
    }

    /// Returns `true` for the statements with which a load that fails ends.
    pub(super) fn cleans_up(self) -> bool {
        matches!(self, Self::DropStage | Self::Rollback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_is_that_of_the_first_word() {
        let check = |statement: &str, expected| assert_eq!(Effect::of(statement), expected);
        check("BEGIN", Effect::Begin);
        check(" begin TRANSACTION", Effect::Begin);
        check("COMMIT", Effect::Commit);
        check("ROLLBACK;", Effect::Rollback);
        check("SELECT 1", Effect::Read);
        check("SELECTED", Effect::Change);
        check("WITH a AS (SELECT 1) SELECT 1", Effect::Change);
        check("DROP STAGE s", Effect::DropStage);
        check("drop  stage if exists s", Effect::DropStage);
        check("DROP TABLE stage", Effect::Define);
        check("create table t (a int)", Effect::Define);
        check("TRUNCATE TABLE t", Effect::Change);
        check("INSERT INTO t SELECT 1", Effect::Change);
        check("", Effect::Change);
    }
}
