//! The commands that Hallpass and its scripts use, and no others.

use super::{
    keys::{Held, Id, Keys, micros, number, written},
    protocol::Reply,
};

type Text = Vec<u8>;

/// Runs one command. One that is missing here ends the simulation: answered
/// with an error it would pass for a Redis that is away.
pub(super) fn run(keys: &mut Keys, command: &[Text]) -> Reply {
    let words: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
    let Some((verb, words)) = words.split_first() else {
        return Reply::error("ERR empty command");
    };
    let verb = String::from_utf8_lossy(verb).to_ascii_uppercase();
    answer(keys, &verb, words).unwrap_or_else(|| {
        let shown: Vec<_> = words.iter().map(|it| String::from_utf8_lossy(it)).collect();
        panic!("the simulated Redis has no {verb} {shown:?}")
    })
}

fn answer(keys: &mut Keys, verb: &str, words: &[&[u8]]) -> Option<Reply> {
    Some(match (verb, words) {
        ("CLIENT" | "SELECT" | "HELLO", _) => Reply::OK,
        ("PING", _) => Reply::Status("PONG"),
        ("TIME", []) => time(),
        ("GET", [key]) => get(keys, key),
        ("MGET", many) => Reply::List(many.iter().map(|key| get(keys, key)).collect()),
        ("SET", [key, value, rest @ ..]) => return set(keys, key, value, rest),
        ("DEL", [key]) => Reply::Number(keys.remove(key).into()),
        ("EXISTS", [key]) => Reply::Number(keys.get(key).is_some().into()),
        ("PEXPIRE", [key, ms]) => Reply::Number(keys.expire(key, number(ms)?).into()),
        ("HSET", [key, pairs @ ..]) => hset(keys, key, pairs),
        ("HSETNX", [key, field, value]) => hsetnx(keys, key, field, value),
        ("HDEL", [key, field]) => hdel(keys, key, field),
        ("HGET", [key, field]) => field_of(keys, key, field),
        ("HMGET", [key, many @ ..]) => {
            Reply::List(many.iter().map(|it| field_of(keys, key, it)).collect())
        }
        ("HGETALL", [key]) => {
            let fields = keys.fields(key).cloned().unwrap_or_default();
            let pairs = fields.into_iter().flat_map(|(field, value)| [field, value]);
            Reply::List(pairs.map(Reply::Text).collect())
        }
        ("HVALS", [key]) => {
            let fields = keys.fields(key).cloned().unwrap_or_default();
            Reply::List(fields.into_values().map(Reply::Text).collect())
        }
        ("ZADD", [key, score, member]) => zadd(keys, key, number(score)?, member),
        ("ZREM", [key, member]) => zrem(keys, key, member),
        ("ZSCORE", [key, member]) => {
            let score = keys.scores(key).and_then(|it| it.get(*member).copied());
            Reply::text(score.map(written))
        }
        ("ZCARD", [key]) => Reply::Number(keys.scores(key).map_or(0, |it| it.len() as i64)),
        ("ZREMRANGEBYSCORE", [key, b"-inf", most]) => forget_up_to(keys, key, number(most)?),
        ("ZRANGE", [key, from, to, rest @ ..]) => range(keys, key, (from, to), rest)?,
        ("XADD", [key, b"MAXLEN", b"~", most, b"*", b"t", text]) => {
            add(keys, key, number(most)? as usize, text)
        }
        ("XREVRANGE", [key, b"+", b"-", b"COUNT", b"1"]) => {
            let last = keys.entries(key).and_then(|it| it.last().cloned());
            Reply::List(last.iter().map(entry).collect())
        }
        ("XREAD", [b"COUNT", most, b"STREAMS", key, after]) => {
            read(keys, key, number(most)? as usize, after)?
        }
        _ => return None,
    })
}

fn time() -> Reply {
    let micros = micros();
    let parts = [micros / 1_000_000, micros % 1_000_000];
    Reply::List(parts.map(|it| Reply::Text(it.to_string().into())).into())
}

fn get(keys: &mut Keys, key: &[u8]) -> Reply {
    match keys.get(key) {
        Some(Held::Text(text)) => Reply::Text(text.clone()),
        _ => Reply::None,
    }
}

fn set(keys: &mut Keys, key: &[u8], value: &[u8], rest: &[&[u8]]) -> Option<Reply> {
    let (ms, shows) = match rest {
        [b"PX", ms] => (number(ms)?, false),
        [b"PX", ms, b"GET"] => (number(ms)?, true),
        _ => return None,
    };
    let before = get(keys, key);
    keys.set(key, Held::Text(value.to_vec()));
    keys.expire(key, ms);
    Some(if shows { before } else { Reply::OK })
}

fn hset(keys: &mut Keys, key: &[u8], pairs: &[&[u8]]) -> Reply {
    if keys.fields(key).is_none() {
        keys.set(key, Held::Fields(Default::default()));
    }
    let mut added = 0;
    if let Some(fields) = keys.fields(key) {
        for pair in pairs.chunks_exact(2) {
            added += i64::from(fields.insert(pair[0].into(), pair[1].into()).is_none());
        }
    }
    Reply::Number(added)
}

fn hsetnx(keys: &mut Keys, key: &[u8], field: &[u8], value: &[u8]) -> Reply {
    if keys.fields(key).is_some_and(|it| it.contains_key(field)) {
        return Reply::Number(0);
    }
    hset(keys, key, &[field, value])
}

fn hdel(keys: &mut Keys, key: &[u8], field: &[u8]) -> Reply {
    let Some(fields) = keys.fields(key) else {
        return Reply::Number(0);
    };
    let removed = fields.remove(field).is_some();
    if fields.is_empty() {
        keys.remove(key);
    }
    Reply::Number(removed.into())
}

fn field_of(keys: &mut Keys, key: &[u8], field: &[u8]) -> Reply {
    Reply::text(keys.fields(key).and_then(|it| it.get(field).cloned()))
}

fn zadd(keys: &mut Keys, key: &[u8], score: f64, member: &[u8]) -> Reply {
    if keys.scores(key).is_none() {
        keys.set(key, Held::Scores(Default::default()));
    }
    let scores = keys.scores(key);
    let before = scores.and_then(|it| it.insert(member.into(), score));
    Reply::Number(before.is_none().into())
}

fn zrem(keys: &mut Keys, key: &[u8], member: &[u8]) -> Reply {
    let Some(scores) = keys.scores(key) else {
        return Reply::Number(0);
    };
    let removed = scores.remove(member).is_some();
    if scores.is_empty() {
        keys.remove(key);
    }
    Reply::Number(removed.into())
}

fn forget_up_to(keys: &mut Keys, key: &[u8], most: f64) -> Reply {
    let Some(scores) = keys.scores(key) else {
        return Reply::Number(0);
    };
    let before = scores.len();
    scores.retain(|_, score| *score > most);
    let (removed, empty) = (before - scores.len(), scores.is_empty());
    if empty {
        keys.remove(key);
    }
    Reply::Number(removed as i64)
}

fn range(keys: &mut Keys, key: &[u8], (from, to): (&[u8], &[u8]), rest: &[&[u8]]) -> Option<Reply> {
    let with_scores = match rest {
        [] => false,
        [b"WITHSCORES"] => true,
        _ => return None,
    };
    let ranked = keys.ranked(key);
    let count = ranked.len() as f64;
    let place = |at: f64| if at < 0.0 { at + count } else { at };
    let (from, to) = (place(number(from)?).max(0.0), place(number(to)?));
    let mut list = Vec::new();
    for (rank, (member, score)) in ranked.into_iter().enumerate() {
        if (from..=to).contains(&(rank as f64)) {
            list.push(Reply::Text(member));
            if with_scores {
                list.push(Reply::Text(written(score)));
            }
        }
    }
    Some(Reply::List(list))
}

fn add(keys: &mut Keys, key: &[u8], most: usize, text: &[u8]) -> Reply {
    if keys.entries(key).is_none() {
        keys.set(key, Held::Entries(Vec::new()));
    }
    let ms = micros() / 1000;
    let Some(entries) = keys.entries(key) else {
        return Reply::None;
    };
    let id: Id = match entries.last() {
        Some(&((last, number), _)) if last >= ms => (last, number + 1),
        _ => (ms, 0),
    };
    entries.push((id, text.into()));
    let over = entries.len().saturating_sub(most);
    entries.drain(..over);
    Reply::Text(format!("{}-{}", id.0, id.1).into())
}

fn entry(((ms, number), text): &(Id, Text)) -> Reply {
    let fields = [b"t".to_vec(), text.clone()].map(Reply::Text);
    let id = Reply::Text(format!("{ms}-{number}").into());
    Reply::List(vec![id, Reply::List(fields.into())])
}

fn read(keys: &mut Keys, key: &[u8], most: usize, after: &[u8]) -> Option<Reply> {
    let (ms, number) = std::str::from_utf8(after).ok()?.split_once('-')?;
    let after: Id = (ms.parse().ok()?, number.parse().ok()?);
    let entries = keys.entries(key).cloned().unwrap_or_default();
    let newer = entries.iter().filter(|(id, _)| *id > after).take(most);
    let newer: Vec<Reply> = newer.map(entry).collect();
    if newer.is_empty() {
        return Some(Reply::NoList);
    }
    let stream = vec![Reply::Text(key.into()), Reply::List(newer)];
    Some(Reply::List(vec![Reply::List(stream)]))
}
