//! `--paginate`: all pages of a list as one JSON array, row by row.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::arguments::Typed;
use super::body::pair;
use super::{Out, said, send, verdict, warn_of_oddities};
use crate::declaration::{Pages, Query, Target};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::tr;
use crate::json;
use crate::lifecycle::{Active, Answer};

/// The largest page, in bytes.
const PAGE_MAX: usize = 8 * 1024 * 1024;

/// A list that is asked for page by page.
pub struct List {
    pages: &'static Pages,
    path: String,
    pairs: Query,
}

impl List {
    pub fn read(typed: &Typed, target: &Target) -> Result<Self> {
        let (product, method) = (target.spec.product, &typed.method);
        let Some(pages) = target.spec.pages else {
            return Err(
                error!(Usage, "--paginate does not work with {product}", product; hint "leave --paginate out"),
            );
        };
        if method != "GET" {
            let why = tr!("--paginate asks with GET, not with {method}", method);
            return Err(Error::new(Cause::Usage, why));
        }
        let (path, query) = typed.path.split_once('?').unwrap_or((&typed.path, ""));
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let list = Self {
            pages,
            path: path.to_owned(),
            pairs: pairs.into_owned().collect(),
        };
        list.page(0).map(|_| list)
    }

    /// The path that asks for a page.
    fn page(&self, page: usize) -> Result<String> {
        let pairs = (self.pages.ask)(self.pairs.clone(), page)?;
        let pairs = pairs.iter().map(|(name, value)| pair(name, value));
        Ok([&self.path, "?", &pairs.collect::<Vec<_>>().join("&")].concat())
    }

    /// Writes the rows of all pages. What has been written when a page fails is not a whole array.
    pub async fn write(
        &self,
        mut typed: Typed,
        mut login: Active<'_>,
        out: &mut Out,
    ) -> Result<u8> {
        let hashes = RandomState::new();
        let (mut before, mut seen, mut warned) = ("[\n", HashSet::new(), false);
        for page in 0.. {
            typed.path = self.page(page)?;
            let (active, mut answer, lost) = send(login, &typed).await?;
            read(&mut answer).await?;
            let text = self.text(&answer);
            let found = text.as_deref().and_then(self.pages.read);
            let (Some((rows, count, more)), true) = (found, answer.response.is_success()) else {
                let host = &answer.response.host;
                let message = tr!("{host}'s answer contains no list", host);
                let said = said(answer.response.any_object());
                let other = verdict(&answer, &active.account, &typed).err();
                let other = other.unwrap_or_else(|| Error::new(Cause::BadAnswer, message));
                return Err(lost.unwrap_or(other.said(&said)));
            };
            if !warned {
                warned = warn_of_oddities(&answer, &active.account);
            }
            if count > 0 && !seen.insert(hashes.hash_one(rows)) {
                return Err(error!(BadAnswer, "the server sent the same page twice"));
            }
            if count > 0 {
                out.write(before.into()).await?;
                out.write_rows(rows).await?;
                before = ",\n";
            }
            if count == 0 || !more {
                break;
            }
            login = active.again();
        }
        let end = if before == "[\n" { "[]\n" } else { "\n]\n" };
        out.write(end.into()).await.map(|()| 0)
    }

    /// A page's JSON: as it came, digits and all, unless it must be looked for among other text.
    fn text<'t>(&self, answer: &'t Answer) -> Option<Cow<'t, str>> {
        let body = std::str::from_utf8(&answer.response.body).ok();
        let body = body.filter(|body| (self.pages.read)(body).is_some());
        let found = || Some(json::text(&answer.response.any_object()?.fields.into()).into());
        body.map(Cow::from).or_else(found)
    }
}

/// Reads all of a page.
async fn read(answer: &mut Answer) -> Result<()> {
    while let Some(part) = answer.next().await? {
        answer.response.body.extend(part);
        if answer.response.body.len() > PAGE_MAX {
            return Err(
                error!(TooLarge, "a page is larger than 8 MiB"; hint "ask for smaller pages"),
            );
        }
    }
    Ok(())
}
