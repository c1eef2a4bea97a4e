//! `--paginate`: all pages of a list as one JSON array, row by row.

use serde_json::Map;
use serde_json::value::RawValue;

use super::arguments::Typed;
use super::print::Out;
use super::{Sender, verdict};
use crate::declaration::{Pages, Query, Target};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::tr;
use crate::lifecycle::{Account, Answer};
use crate::secret::percent;

/// The largest page, in bytes.
const PAGE_MAX: usize = 16 * 1024 * 1024;

/// A list that is asked for page by page.
pub struct List {
    pages: &'static Pages,
    path: String,
    pairs: Query,
}

impl List {
    pub fn read(typed: &Typed, target: &Target) -> Result<Self> {
        let Some(pages) = target.spec.pages else {
            return Err(error!(
                Usage, "{product} has no pages that are known", product = target.spec.product;
                hint "leave --paginate out"
            ));
        };
        if typed.method != "GET" {
            return Err(error!(
                Usage,
                "--paginate asks with GET, not with {method}",
                method = typed.method
            ));
        }
        let (path, query) = typed.path.split_once('?').unwrap_or((&typed.path, ""));
        let list = Self {
            pages,
            path: path.to_owned(),
            pairs: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        };
        list.page(0).map(|_| list)
    }

    /// The path that asks for a page.
    fn page(&self, page: usize) -> Result<String> {
        let pairs = (self.pages.ask)(self.pairs.clone(), page)?;
        let pairs = pairs
            .iter()
            .map(|(name, value)| [&percent(name), "=", &percent(value)].concat());
        Ok([&self.path, "?", &pairs.collect::<Vec<_>>().join("&")].concat())
    }

    /// Writes the rows of all pages. What has been written when a page fails is no whole array.
    pub async fn write(
        &self,
        sender: &Sender<'_>,
        mut typed: Typed,
        account: Account<'_>,
        out: &mut Out,
    ) -> Result<u8> {
        let mut account = account;
        let mut before = "[\n";
        for page in 0.. {
            typed.path = self.page(page)?;
            let (login, mut answer, lost) = sender.send(account, &typed).await?;
            read(&mut answer).await?;
            let found = answer.response.any_object();
            let rows = found
                .as_ref()
                .and_then(|found| self.rows(&answer.response.body, found.fields()));
            let (Some(found), Some(rows)) = (found, rows) else {
                verdict(&answer, &login.account, &typed)?;
                let message = tr!(
                    "{host}'s answer has no list `{name}`",
                    host = answer.response.host,
                    name = self.pages.rows
                );
                return Err(lost.unwrap_or_else(|| Error::new(Cause::BadAnswer, message)));
            };
            for row in &rows {
                out.write(before.into()).await?;
                out.write_json(row.clone().into_bytes(), 1).await?;
                before = ",\n";
            }
            if rows.is_empty() || !(self.pages.more)(found.fields(), rows.len()) {
                break;
            }
            account = login.account.again();
        }
        let end = if before == "[\n" { "[]\n" } else { "\n]\n" };
        out.write(end.into()).await.map(|()| 0)
    }

    /// The rows as the server wrote them, digits and all, where no text stands around its JSON.
    fn rows(&self, body: &[u8], found: &Map<String, serde_json::Value>) -> Option<Vec<String>> {
        let rows = found.get(self.pages.rows)?.as_array()?;
        let raw =
            serde_json::from_slice::<std::collections::BTreeMap<String, &RawValue>>(body).ok();
        let raw = raw.and_then(|raw| {
            serde_json::from_str::<Vec<&RawValue>>(raw.get(self.pages.rows)?.get()).ok()
        });
        Some(match raw {
            Some(raw) => raw.iter().map(|row| row.get().to_owned()).collect(),
            None => rows.iter().map(ToString::to_string).collect(),
        })
    }
}

/// Reads all of a page.
async fn read(answer: &mut Answer) -> Result<()> {
    if let Some(error) = answer.broken.take() {
        return Err(error);
    }
    while let Some(part) = answer.response.next().await? {
        answer.response.body.extend(part);
        if answer.response.body.len() > PAGE_MAX {
            return Err(error!(TooLarge, "a page is larger than 16 MiB"));
        }
    }
    Ok(())
}
