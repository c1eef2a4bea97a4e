//! A request's body: the bytes of `-d`, or a form, a JSON object or multipart made of fields and files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::super::Run;
use super::Args;
use crate::declaration::Spec;
use crate::error::{Result, error};
use crate::files::random;
use crate::http::Part;
use crate::i18n::{Text, tr};
use crate::secret::{hex, percent};

pub const FORM: &str = "application/x-www-form-urlencoded";

/// What is read into memory, from a pipe or for a field. A regular file may be larger where it is sent as it is.
const READ_MAX: u64 = 32 * 1024 * 1024;

pub struct Body {
    pub content_type: String,
    parts: Vec<Part>,
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

impl Body {
    /// What the options ask for; `None`: nothing.
    pub fn read(args: &Args, spec: &Spec, run: &Run<'_>) -> Result<Option<Self>> {
        let options = [&args.fields, &args.json_fields, &args.uploads];
        let values = options.into_iter().flatten();
        let values = values.filter_map(|pair| Some(pair.split_once('=')?.1));
        let all = values.chain(args.data.as_deref());
        if all.filter(|value| *value == "@-").count() > 1 {
            return Err(error!(
                Usage,
                "stdin can be read only once, and @- is given twice"
            ));
        }
        if let Some(data) = &args.data {
            let part = read_data("-d", data, run)?;
            return Ok(Some(Self::new(spec.content_type, part)));
        }
        let mut fields = Vec::new();
        for (option, pairs) in [("-F", &args.fields), ("-J", &args.json_fields)] {
            for pair in pairs {
                fields.push(Field::read(option, pair, run)?);
            }
        }
        Ok(match (args.uploads.is_empty(), spec.content_type) {
            (false, _) => Some(multipart(&fields, &args.uploads, run)?),
            _ if fields.is_empty() => None,
            (true, FORM) => {
                let pairs = fields.iter().map(|field| pair(&field.name, &field.value));
                let form = pairs.collect::<Vec<_>>().join("&");
                Some(Self::new(FORM, Part::bytes(form.into_bytes())))
            }
            (true, content_type) => Some(Self::new(content_type, object(&fields)?)),
        })
    }

    fn new(content_type: &str, part: Part) -> Self {
        Self {
            content_type: content_type.to_owned(),
            parts: vec![part],
            boundary: None,
        }
    }

    pub fn is_multipart(&self) -> bool {
        self.boundary.is_some()
    }

    /// The parts, with one more field where it is a form.
    pub fn parts(&self, field: Option<(&str, &str)>) -> Vec<Part> {
        let mut end = String::new();
        match (field, &self.boundary) {
            (Some((name, value)), Some(boundary)) => {
                end = [&head(boundary, name, ""), value, "\r\n"].concat();
            }
            (Some((name, value)), None) => end = ["&", &pair(name, value)].concat(),
            (None, _) => {}
        }
        if let Some(boundary) = &self.boundary {
            end.extend(["--", boundary, "--\r\n"]);
        }
        let mut parts = self.parts.clone();
        if !end.is_empty() {
            parts.push(Part::bytes(end.into_bytes()));
        }
        parts
    }
}

impl Field {
    fn read(option: &'static str, typed: &str, run: &Run<'_>) -> Result<Self> {
        let (name, value) = split(option, typed)?;
        let value = match value.strip_prefix('@') {
            Some(file) if !file.is_empty() => {
                let mut bytes = Vec::new();
                let read = read_data(option, value, run)?.read(&mut bytes, READ_MAX);
                read.map_err(|error| unreadable(option, file, error))?;
                String::from_utf8(bytes).map_err(|_| {
                    error!(
                        Usage, "{option} {name} is not UTF-8 text", option, name;
                        hint "--upload sends any file"
                    )
                })?
            }
            _ => value.to_owned(),
        };
        let json = option == "-J";
        if json && serde_json::from_str::<&RawValue>(&value).is_err() {
            return Err(error!(
                Usage, "-J {name} is not JSON", name;
                hint "a text needs two pairs of quotes, as in -J '{name}=\"…\"'; or send it with -F", name
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

pub fn pair(name: &str, value: &str) -> String {
    [&percent(name), "=", &percent(value)].concat()
}

fn split<'a>(option: &str, typed: &'a str) -> Result<(&'a str, &'a str)> {
    let pair = typed.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.ok_or_else(|| {
        error!(
            Usage, "{option} takes NAME=VALUE", option;
            hint "for example {option} {name}=VALUE", option, name = if typed.contains('=') { "NAME" } else { typed }
        )
    })
}

/// The text itself, the content of @FILE, or stdin.
fn read_data(option: &str, data: &str, run: &Run<'_>) -> Result<Part> {
    let Some(name) = data.strip_prefix('@') else {
        return Ok(Part::bytes(data.as_bytes().to_vec()));
    };
    let read = || {
        if name == "-" {
            return piped(io::stdin().lock());
        }
        let file = File::open(run.environment.cwd().join(Path::new(name)))?;
        match file.metadata()? {
            // A file below /proc has no length.
            meta if meta.is_file() && meta.len() > 0 => Ok(Part::File(Arc::new(file), meta.len())),
            _ => piped(file),
        }
    };
    read().map_err(|error| unreadable(option, name, error))
}

fn piped(reader: impl Read) -> io::Result<Part> {
    let mut bytes = Vec::new();
    reader.take(READ_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > READ_MAX {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(Part::bytes(bytes)),
    }
}

fn unreadable(option: &str, name: &str, error: io::Error) -> crate::error::Error {
    let what = match name {
        "-" => tr!("stdin"),
        name => tr!("{name}", name),
    };
    if error.kind() == io::ErrorKind::FileTooLarge {
        return error!(
            Usage, "{what}, which {option} names, is larger than 32 MiB", what, option;
            hint "-d @FILE and --upload send a regular file of any size"
        );
    }
    let error = error!(
        Usage,
        "{what}, which {option} names, cannot be read", what, option
    )
    .because(error);
    error.hint(tr!(
        "use the text itself, @FILE, or @- for stdin; send a text that begins with @ through stdin"
    ))
}

/// Fields that nest: a value as JSON, or a table.
enum Node {
    Value(Box<RawValue>),
    Table(Vec<(String, Node)>),
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Table(members) => serializer.collect_map(members.iter().map(|(k, v)| (k, v))),
        }
    }
}

/// The fields as one JSON object: `a[b]` is the member `b` of the table `a`.
fn object(fields: &[Field]) -> Result<Part> {
    let fail = |error| error!(Other, "a field is not JSON").caused_by(error);
    let mut table = Vec::new();
    for field in fields {
        let value = match field.json {
            true => RawValue::from_string(field.value.clone()),
            false => to_raw_value(&field.value),
        };
        insert(&mut table, &keys(field)?, value.map_err(fail)?).map_err(|message| {
            error!(
                Usage, "{option} {name} {message}", option = field.option, name = field.name, message;
                hint "-J sends a list or a table at once, as in -J 'ids=[1,2]'"
            )
        })?;
    }
    let text = serde_json::to_vec(&Node::Table(table));
    text.map(Part::bytes).map_err(fail)
}

fn keys(field: &Field) -> Result<Vec<&str>> {
    let (first, rest) = field.name.split_once('[').unwrap_or((&field.name, "]"));
    let inner = rest.strip_suffix(']').filter(|_| field.name.contains('['));
    let mut keys = vec![first];
    keys.extend(inner.into_iter().flat_map(|inner| inner.split("][")));
    let bad = |key: &&str| key.is_empty() || key.contains(['[', ']']);
    if keys.iter().any(bad) || field.name.contains('[') != inner.is_some() {
        return Err(error!(
            Usage, "{option} {name} has brackets that name no member", option = field.option, name = field.name;
            hint "name a member as in a[b]=c; for a list use -J, as in -J 'ids=[1,2]'"
        ));
    }
    Ok(keys)
}

fn insert(
    table: &mut Vec<(String, Node)>,
    keys: &[&str],
    value: Box<RawValue>,
) -> Result<(), Text> {
    let Some((key, rest)) = keys.split_first() else {
        return Ok(());
    };
    let at = table.iter().position(|(name, _)| name == key);
    match (at.map(|at| &mut table[at].1), rest) {
        (Some(Node::Table(inner)), [_, ..]) => return insert(inner, rest, value),
        (Some(Node::Value(_)), []) => return Err(tr!("is given twice")),
        (Some(_), _) => return Err(tr!("is both a value and a table")),
        (None, []) => table.push(((*key).to_owned(), Node::Value(value))),
        (None, _) => {
            let mut inner = Vec::new();
            insert(&mut inner, rest, value)?;
            table.push(((*key).to_owned(), Node::Table(inner)));
        }
    }
    Ok(())
}

fn multipart(fields: &[Field], uploads: &[String], run: &Run<'_>) -> Result<Body> {
    // Sixteen random bytes are in no file.
    let boundary = ["crmauth-", &hex(&random()?)].concat();
    let mut parts = Vec::new();
    let mut add = |head: String, content: Part| {
        let [head, end] = [head.into_bytes(), b"\r\n".to_vec()].map(Part::bytes);
        parts.extend([head, content, end]);
    };
    for field in fields {
        let value = Part::bytes(field.value.clone().into_bytes());
        add(head(&boundary, &field.name, ""), value);
    }
    for typed in uploads {
        let (name, file) = split("--upload", typed)?;
        let Some(path) = file.strip_prefix('@').filter(|path| !path.is_empty()) else {
            return Err(error!(
                Usage,
                "--upload takes NAME=@FILE, or NAME=@- for stdin"
            ));
        };
        let file_name = Path::new(path).file_name().unwrap_or_default();
        let file_name = quoted(&file_name.to_string_lossy());
        let about = [
            "; filename=\"",
            &file_name,
            "\"\r\nContent-Type: application/octet-stream",
        ];
        let content = read_data("--upload", file, run)?;
        add(head(&boundary, name, &about.concat()), content);
    }
    Ok(Body {
        content_type: ["multipart/form-data; boundary=", &boundary].concat(),
        parts,
        boundary: Some(boundary),
    })
}

/// The head of a part, with what else there is about it.
fn head(boundary: &str, name: &str, about: &str) -> String {
    let name = quoted(name);
    format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{about}\r\n\r\n")
}

/// As browsers write names there.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
