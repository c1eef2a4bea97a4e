//! The server's side of each command, in its own language, so that it is done whole or not at all.
//!
//! Each session has three keys: the entry (a hash of `fence` and `sealed`), the lock (`OWNER/FENCE`, which expires by
//! itself) and the last fence that was given. Redis 6 and later, and Valkey.

use std::time::Duration;

use super::PREFIX;
use super::lock::{Command, Fence, Response, Right};

/// How long the last fence is kept: longer than any of its holders should be alive.
const LAST_KEPT: Duration = Duration::from_secs(86_400);

/// A fence that no lock was ever given, as after an edit by hand, counts as none; see [`fence`].
const COMMON: &str = "
local entry, lock, last = KEYS[1], KEYS[2], KEYS[3]
local kept = ARGV[1]
local function number(text)
  local value = tonumber(text)
  if value and value > 0 and value < 2^53 and string.format('%.0f', value) == text then return value end
  return 0
end
local held = redis.call('GET', lock)
local written = redis.call('HGET', entry, 'fence')
local function newest() return math.max(number(redis.call('GET', last)), number(written)) end
local function is_late(right, fence)
  return (held and held ~= right) or newest() > tonumber(fence)
end
";

const TAKE: &str = "
local owner, lease, seen, quiet = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if held then
  local holder, fence = held:match('^(%x+)/(%d+)$')
  if holder == owner then
    if redis.call('PTTL', lock) < tonumber(lease) then redis.call('PEXPIRE', lock, lease) end
    return {'given', fence}
  end
end
if seen ~= 'any' and seen ~= (number(written) > 0 and written or 'none') then return {'news'} end
if held then return {'busy', tostring(redis.call('PTTL', lock))} end
local info = redis.pcall('INFO', 'server')
if type(info) == 'string' then
  local up = info:match('uptime_in_seconds:(%d+)')
  if up and tonumber(up) * 1000 < quiet + 1000 then return {'quiet'} end
end
local time = redis.call('TIME')
local fence = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), newest() + 1)
fence = string.format('%.0f', fence)
redis.call('SET', lock, owner .. '/' .. fence, 'PX', lease)
redis.call('SET', last, fence, 'PX', kept)
return {'given', fence}
";

const HOLD: &str = "
local right, fence, lease = ARGV[2], ARGV[3], ARGV[4]
if is_late(right, fence) then return {'overtaken'} end
redis.call('SET', lock, right, 'PX', lease)
redis.call('SET', last, fence, 'PX', kept)
return {'done'}
";

const WRITE: &str = "
local right, fence, sealed, ttl = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if is_late(right, fence) then return {'overtaken'} end
redis.call('DEL', entry)
if ttl > 0 then
  redis.call('HSET', entry, 'fence', fence, 'sealed', sealed)
  redis.call('PEXPIRE', entry, ttl)
end
redis.call('SET', last, fence, 'PX', kept)
return {'done'}
";

const FORGET: &str = "
local right, fence = ARGV[2], ARGV[3]
if is_late(right, fence) then return {'overtaken'} end
redis.call('DEL', entry)
return {'done'}
";

const GIVE_BACK: &str = "
local right, fence = ARGV[2], ARGV[3]
if not held or held == right then
  redis.call('DEL', lock)
  local past = math.max(newest(), tonumber(fence) + 1)
  redis.call('SET', last, string.format('%.0f', past), 'PX', kept)
end
return {'done'}
";

fn keys(name: &str) -> [String; 3] {
    ["", ":lock", ":last"].map(|part| format!("{PREFIX}{name}{part}"))
}

pub fn eval(name: &str, command: &Command) -> redis::Cmd {
    let script = |script: &str| {
        let eval = &mut redis::cmd("EVAL");
        let head = ([COMMON, script].concat(), 3, &keys(name)[..]);
        eval.arg(head).arg(millis(LAST_KEPT)).take()
    };
    let with_lock = |text: &str, Right { owner, fence }: &Right| {
        let right = (format!("{owner:032x}/{fence}"), *fence);
        script(text).arg(right).take()
    };
    match command {
        Command::Take {
            owner,
            lease,
            seen,
            grace,
        } => {
            let seen = match seen {
                None => "any".to_owned(),
                Some(None) => "none".to_owned(),
                Some(Some(fence)) => fence.to_string(),
            };
            let owner = format!("{owner:032x}");
            let wanted = (owner, millis(*lease), seen, millis(*grace));
            script(TAKE).arg(wanted).take()
        }
        Command::Hold(right, lease) => with_lock(HOLD, right).arg(millis(*lease)).take(),
        Command::Write(right, sealed, ttl) => {
            let entry = (sealed.as_slice(), millis(*ttl));
            with_lock(WRITE, right).arg(entry).take()
        }
        Command::Forget(right) => with_lock(FORGET, right),
        Command::GiveBack(right) => with_lock(GIVE_BACK, right),
    }
}

/// An entry's fence: a whole number in digits alone, from which the server's language can still count up.
pub fn fence(text: &[u8]) -> Option<Fence> {
    let text = std::str::from_utf8(text).ok()?;
    let fence: Fence = text.parse().ok()?;
    ((1..1 << 53).contains(&fence) && fence.to_string() == text).then_some(fence)
}

/// A script's answer; `None` if no script gives that answer.
pub fn response(words: &[String]) -> Option<Response> {
    let number = || words.get(1)?.parse::<i64>().ok();
    Some(match words.first()?.as_str() {
        "given" => Response::Given(number()?.try_into().ok()?),
        // Negative if the lock has expired in this moment.
        "busy" => Response::Busy(Duration::from_millis(number()?.max(0).cast_unsigned())),
        "news" => Response::News,
        "quiet" => Response::JustStarted,
        "done" => Response::Done,
        "overtaken" => Response::Overtaken,
        _ => return None,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
