//! Lua scripts: one is one atomic step.

use std::sync::LazyLock;

use redis::Cmd;

/// A script and the name Redis knows it by.
pub(crate) struct Script {
    text: &'static str,
    hash: LazyLock<String>,
}

impl Script {
    /// A script of this text.
    pub(crate) const fn new(text: &'static str, hash: fn() -> String) -> Self {
        Self {
            text,
            hash: LazyLock::new(hash),
        }
    }

    /// The call by name: the text need not travel again.
    pub(crate) fn by_name(&self, call: &Call) -> Cmd {
        call.command("EVALSHA", &self.hash)
    }

    /// The call by text: for a server that does not know it, or not any more.
    pub(crate) fn by_text(&self, call: &Call) -> Cmd {
        call.command("EVAL", self.text)
    }
}

/// The name Redis gives a script's text.
pub(crate) fn hash(text: &str) -> String {
    redis::Script::new(text).get_hash().to_owned()
}

/// A script of a file beside this one.
macro_rules! script {
    ($file:literal) => {{
        const TEXT: &str = include_str!(concat!("scripts/", $file));
        $crate::script::Script::new(TEXT, || $crate::script::hash(TEXT))
    }};
}
pub(crate) use script;

/// The keys and arguments a script is called with.
#[derive(Debug, Default, Clone)]
pub(crate) struct Call {
    keys: Vec<String>,
    arguments: Vec<String>,
}

impl Call {
    /// A call without arguments.
    pub(crate) fn on(keys: impl IntoIterator<Item = String>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            arguments: Vec::new(),
        }
    }

    /// One argument more.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "numbers and names alike, without a sign before each"
    )]
    pub(crate) fn with(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    fn command(&self, verb: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(self.keys.len());
        command.arg(&self.keys[..]).arg(&self.arguments[..]);
        command
    }
}
