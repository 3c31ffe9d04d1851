//! The real scripts, run as Redis runs them.

use std::{cell::RefCell, rc::Rc};

use mlua::{Lua, Result, Table, Value, Variadic};

use super::{
    commands,
    keys::{Keys, written},
    protocol::Reply,
};

/// Runs a script, whole.
pub(super) fn run(
    keys: &Rc<RefCell<Keys>>,
    text: &str,
    names: &[Vec<u8>],
    arguments: &[Vec<u8>],
) -> Result<Reply> {
    let lua = Lua::new();
    let globals = lua.globals();
    globals.set("KEYS", texts(&lua, names)?)?;
    globals.set("ARGV", texts(&lua, arguments)?)?;
    let (held, declared) = (keys.clone(), names.to_vec());
    let call = lua.create_function(move |lua, words: Variadic<Value>| {
        let command = words.iter().map(word).collect::<Result<Vec<Vec<u8>>>>()?;
        let undeclared = command.get(1).filter(|_| command[0] != b"TIME");
        if undeclared.is_some_and(|key| !declared.contains(key)) {
            return Err(mlua::Error::runtime(
                "the script names a key it did not declare",
            ));
        }
        match commands::run(&mut held.borrow_mut(), &command) {
            Reply::Error(error) => Err(mlua::Error::runtime(error)),
            reply => to_lua(lua, &reply),
        }
    })?;
    let redis = lua.create_table()?;
    redis.set("call", call)?;
    globals.set("redis", redis)?;
    from_lua(&lua.load(text).eval()?)
}

fn texts(lua: &Lua, texts: &[Vec<u8>]) -> Result<Table> {
    let texts = texts.iter().map(|text| lua.create_string(text));
    lua.create_sequence_from(texts.collect::<Result<Vec<_>>>()?)
}

fn word(value: &Value) -> Result<Vec<u8>> {
    Ok(match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Integer(number) => number.to_string().into_bytes(),
        Value::Number(number) => written(*number),
        _ => {
            return Err(mlua::Error::runtime(
                "an argument is neither text nor number",
            ));
        }
    })
}

fn to_lua(lua: &Lua, reply: &Reply) -> Result<Value> {
    Ok(match reply {
        Reply::Number(number) => Value::Number(*number as f64),
        Reply::Text(text) => Value::String(lua.create_string(text)?),
        Reply::None | Reply::NoList => Value::Boolean(false),
        Reply::Status(text) => {
            let table = lua.create_table()?;
            table.set("ok", *text)?;
            Value::Table(table)
        }
        Reply::Error(error) => return Err(mlua::Error::runtime(error)),
        Reply::List(list) => {
            let list = list.iter().map(|reply| to_lua(lua, reply));
            Value::Table(lua.create_sequence_from(list.collect::<Result<Vec<_>>>()?)?)
        }
    })
}

fn from_lua(value: &Value) -> Result<Reply> {
    Ok(match value {
        Value::Integer(number) => Reply::Number(*number),
        // Redis cuts what is behind the point.
        Value::Number(number) => Reply::Number(number.trunc() as i64),
        Value::String(text) => Reply::Text(text.as_bytes().to_vec()),
        Value::Boolean(true) => Reply::Number(1),
        Value::Table(table) => {
            let list = table.sequence_values::<Value>();
            Reply::List(list.map(|value| from_lua(&value?)).collect::<Result<_>>()?)
        }
        _ => Reply::None,
    })
}
