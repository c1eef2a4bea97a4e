//! A request's body: the bytes of `-d`, or a form, a JSON object or multipart made of fields and files.

use std::io::Read;
use std::path::Path;

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::super::Run;
use super::Args;
use crate::declaration::Spec;
use crate::error::{Result, error};
use crate::i18n::tr;
use crate::secret::{hex, percent};

const FORM: &str = "application/x-www-form-urlencoded";

pub struct Body {
    pub content_type: String,
    bytes: Zeroizing<Vec<u8>>,
    /// What stands between the parts, if it is multipart.
    boundary: Option<String>,
}

/// A field: its name, and its value as a text or as JSON.
struct Field {
    option: &'static str,
    name: String,
    value: String,
    json: bool,
}

/// Fields that nest: a value as JSON, or a table.
enum Node {
    Value(String),
    Table(Vec<(String, Node)>),
}

impl Body {
    /// What the options ask for; `None`: nothing.
    pub fn read(args: &Args, spec: &Spec, run: &Run<'_>) -> Result<Option<Self>> {
        let named = args
            .fields
            .iter()
            .chain(&args.json_fields)
            .chain(&args.uploads);
        let whole = args.data.iter().filter(|data| *data == "@-").count();
        if whole + named.filter(|pair| pair.ends_with("=@-")).count() > 1 {
            return Err(error!(Usage, "stdin can be read once, and @- stands twice"));
        }
        if let Some(data) = &args.data {
            let bytes = read_data("-d", data, run)?;
            return Ok(Some(Self::new(spec.content_type, bytes)));
        }
        let mut fields = Vec::new();
        for (option, pairs, json) in [("-F", &args.fields, false), ("-J", &args.json_fields, true)]
        {
            for pair in pairs {
                fields.push(Field::read(option, pair, json, run)?);
            }
        }
        Ok(match (args.uploads.is_empty(), spec.content_type) {
            (false, _) => Some(multipart(&fields, &args.uploads, run)?),
            _ if fields.is_empty() => None,
            (true, FORM) => {
                let pairs = fields.iter().map(|field| pair(&field.name, &field.value));
                let form = pairs.collect::<Vec<_>>().join("&");
                Some(Self::new(FORM, form.into_bytes()))
            }
            (true, content_type) => Some(Self::new(content_type, object(&fields)?.into_bytes())),
        })
    }

    /// An empty form.
    pub fn empty() -> Self {
        Self::new(FORM, Vec::new())
    }

    fn new(content_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            content_type: content_type.to_owned(),
            bytes: bytes.into(),
            boundary: None,
        }
    }

    pub fn is_multipart(&self) -> bool {
        self.boundary.is_some()
    }

    /// The bytes, with one more field where it is a form.
    pub fn bytes(&self, field: Option<(&str, &str)>) -> Zeroizing<Vec<u8>> {
        let mut bytes = self.bytes.clone();
        match (field, &self.boundary) {
            (Some((name, value)), Some(boundary)) => {
                // Before the line that ends the last part.
                let end = bytes.len() - boundary.len() - "----\r\n".len();
                bytes.truncate(end);
                bytes.extend_from_slice(
                    part(boundary, &disposition(name), value.as_bytes()).as_slice(),
                );
                bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            }
            (Some((name, value)), None) => {
                if !bytes.is_empty() {
                    bytes.push(b'&');
                }
                bytes.extend_from_slice(pair(name, value).as_bytes());
            }
            (None, _) => {}
        }
        bytes
    }
}

impl Field {
    fn read(option: &'static str, typed: &str, json: bool, run: &Run<'_>) -> Result<Self> {
        let (name, value) = split(option, typed)?;
        // No file has an empty name.
        let value = match value {
            "@" => value.to_owned(),
            value => String::from_utf8(read_data(option, value, run)?)
                .map_err(|_| error!(Usage, "{option} {name} is no UTF-8 text", option, name; hint "--upload sends any file"))?,
        };
        if json && serde_json::from_str::<IgnoredAny>(&value).is_err() {
            return Err(error!(
                Usage, "-J {name} is not JSON", name;
                hint "a text is quoted twice, as in -J '{name}=\"…\"', or sent with -F", name
            ));
        }
        Ok(Self {
            option,
            name: name.to_owned(),
            value: if json { value.trim().to_owned() } else { value },
            json,
        })
    }
}

/// A pair of an option, encoded for a query or a form.
pub fn encoded(option: &str, typed: &str) -> Result<String> {
    split(option, typed).map(|(name, value)| pair(name, value))
}

fn pair(name: &str, value: &str) -> String {
    [&percent(name), "=", &percent(value)].concat()
}

fn split<'a>(option: &str, typed: &'a str) -> Result<(&'a str, &'a str)> {
    let pair = typed.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.ok_or_else(|| error!(Usage, "{option} takes NAME=VALUE", option))
}

/// The text itself, the content of @FILE, or stdin.
fn read_data(option: &str, data: &str, run: &Run<'_>) -> Result<Vec<u8>> {
    let Some(name) = data.strip_prefix('@') else {
        return Ok(data.as_bytes().to_vec());
    };
    let mut bytes = Vec::new();
    let read = match name {
        "-" => std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map(|_| bytes),
        name => std::fs::read(run.environment.cwd().join(Path::new(name))),
    };
    read.map_err(|error| {
        let error = match name {
            "-" => {
                error!(Usage, "stdin, which {option} names, cannot be read", option).because(error)
            }
            name => error!(
                Usage,
                "{name}, which {option} names, cannot be read", name, option
            )
            .because(error),
        };
        error.hint(tr!("it takes the text itself, @FILE, or @- for stdin"))
    })
}

/// The fields as one JSON object: `a[b]` is the member `b` of the table `a`.
fn object(fields: &[Field]) -> Result<String> {
    let mut table = Vec::new();
    for field in fields {
        let value = match field.json {
            true => field.value.clone(),
            false => serde_json::Value::from(field.value.as_str()).to_string(),
        };
        insert(&mut table, &keys(field)?, value).map_err(|message| {
            error!(
                Usage, "{option} {name} {message}", option = field.option, name = field.name, message;
                hint "-J sends a list or a table at once, as in -J 'ids=[1,2]'"
            )
        })?;
    }
    Ok(written(&Node::Table(table)))
}

fn keys(field: &Field) -> Result<Vec<&str>> {
    let (first, rest) = field
        .name
        .split_at(field.name.find('[').unwrap_or(field.name.len()));
    let mut keys = vec![first];
    let inner = rest.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
    match inner {
        None => {}
        Some(inner) => keys.extend(inner.unwrap_or_default().split("][")),
    }
    match keys
        .iter()
        .any(|key| key.is_empty() || key.contains(['[', ']']))
    {
        false => Ok(keys),
        true => Err(error!(
            Usage, "{option} {name} has brackets that name no member", option = field.option, name = field.name;
            hint "a member is named as in a[b]=c; -J sends a list, as in -J 'ids=[1,2]'"
        )),
    }
}

fn insert(
    table: &mut Vec<(String, Node)>,
    keys: &[&str],
    value: String,
) -> std::result::Result<(), crate::i18n::Text> {
    let (key, rest) = keys.split_first().expect("a name has a part");
    let at = table
        .iter()
        .position(|(name, _)| name == key)
        .unwrap_or_else(|| {
            table.push(((*key).to_owned(), Node::Table(Vec::new())));
            table.len() - 1
        });
    match (&mut table[at].1, rest) {
        (Node::Table(inner), []) if inner.is_empty() => table[at].1 = Node::Value(value),
        (Node::Table(inner), rest) if !rest.is_empty() => return insert(inner, rest, value),
        (Node::Value(_), []) => return Err(tr!("is given twice")),
        _ => return Err(tr!("is both a value and a table")),
    }
    Ok(())
}

fn written(node: &Node) -> String {
    let Node::Table(members) = node else {
        let Node::Value(value) = node else {
            unreachable!("one or the other")
        };
        return value.clone();
    };
    let members = members.iter().map(|(name, node)| {
        [
            &serde_json::Value::from(name.as_str()).to_string(),
            ":",
            &written(node),
        ]
        .concat()
    });
    ["{", &members.collect::<Vec<_>>().join(","), "}"].concat()
}

fn multipart(fields: &[Field], uploads: &[String], run: &Run<'_>) -> Result<Body> {
    let mut random = [0; 16];
    // Sixteen random bytes are in no file.
    getrandom::fill(&mut random).map_err(|_| error!(Other, "the system gives no random bytes"))?;
    let boundary = ["crmauth-", &hex(&random)].concat();
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend(part(
            &boundary,
            &disposition(&field.name),
            field.value.as_bytes(),
        ));
    }
    for typed in uploads {
        let (name, file) = split("--upload", typed)?;
        let Some(path) = file.strip_prefix('@').filter(|path| !path.is_empty()) else {
            return Err(error!(
                Usage,
                "--upload takes NAME=@FILE, or NAME=@- for stdin"
            ));
        };
        let content = read_data("--upload", file, run)?;
        let file_name = Path::new(path)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let head = format!(
            "{}; filename=\"{}\"\r\nContent-Type: application/octet-stream",
            disposition(name),
            quoted(&file_name)
        );
        bytes.extend(part(&boundary, &head, &content));
    }
    bytes.extend(format!("--{boundary}--\r\n").into_bytes());
    Ok(Body {
        content_type: ["multipart/form-data; boundary=", &boundary].concat(),
        bytes: bytes.into(),
        boundary: Some(boundary),
    })
}

fn disposition(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{}\"", quoted(name))
}

fn part(boundary: &str, head: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--{boundary}\r\n{head}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

/// As browsers write names there.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
