//! One statement: its text, its values, and whether it may be sent again.

use std::fmt::Write as _;

use sqlx::{
    Arguments, Encode, Postgres, Type,
    postgres::{PgArguments, PgRow},
    query::Query,
};

/// A statement and its values.
///
/// All of this store's are written so that doing one twice is the same as
/// doing it once, unless said otherwise: a connection that breaks tells nobody
/// whether what was sent last was done.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    text: String,
    arguments: PgArguments,
    unencodable: Option<String>,
    once: bool,
}

/// Rows of an answer.
pub(crate) type Rows = Vec<PgRow>;

impl Statement {
    /// A statement, whole or as a beginning.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            arguments: PgArguments::default(),
            unencodable: None,
            once: false,
        }
    }

    /// Doing it twice would be something else than doing it once.
    pub(crate) const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(crate) const fn may_be_repeated(&self) -> bool {
        !self.once
    }

    /// Adds text.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value's place and the value.
    pub(crate) fn push_bind<'t, T>(&mut self, value: T) -> &mut Self
    where
        T: Encode<'t, Postgres> + Type<Postgres>,
    {
        self.add(value);
        let _ = write!(self.text, "${}", self.arguments.len());
        self
    }

    /// Gives the next numbered place its value.
    pub(crate) fn bind<'t, T>(mut self, value: T) -> Self
    where
        T: Encode<'t, Postgres> + Type<Postgres>,
    {
        self.add(value);
        self
    }

    fn add<'t, T>(&mut self, value: T)
    where
        T: Encode<'t, Postgres> + Type<Postgres>,
    {
        if let Err(error) = self.arguments.add(value) {
            self.unencodable.get_or_insert_with(|| error.to_string());
        }
    }

    /// As the driver takes it.
    ///
    /// # Errors
    ///
    /// [`sqlx::Error::Encode`] where a value has no place in PostgreSQL.
    pub(crate) fn query(&self) -> Result<Query<'static, Postgres, PgArguments>, sqlx::Error> {
        match &self.unencodable {
            None => Ok(sqlx::query_with(
                sqlx::AssertSqlSafe(self.text.clone()),
                self.arguments.clone(),
            )),
            Some(why) => Err(sqlx::Error::Encode(why.clone().into())),
        }
    }
}

/// A text as PostgreSQL can keep it: it has no place for a zero byte.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
