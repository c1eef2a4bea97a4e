//! What stands around HelloCloud: its web server, gateways, PHP, a workflow of its administrator's.

use super::super::message::{fatal, notice};
use super::super::{Request, Response};
use super::HTML;

/// The switches. The default is a SuiteCRM with its URL rewriting behind Apache.
#[derive(Default)]
pub struct Surroundings {
    /// The web server is an nginx, not an Apache.
    pub nginx: bool,
    pub paths: Paths,
    /// PHP never sees an Authorization header.
    pub drops_authorization: bool,
    /// The web server wants a password of its own.
    pub asks_for_password: bool,
    /// A gateway answers each request with this status: 502, 503 or 504.
    pub gateway: Option<u16>,
    /// A longer body is 413.
    pub body_max: Option<usize>,
    pub broken: Option<Broken>,
    pub display_errors: bool,
    /// What happens behind the saving of a bug.
    pub workflow: Option<Workflow>,
}

/// Which paths lead to the API besides `/Api/index.php/…`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Paths {
    /// `/Api/…`.
    #[default]
    Rewritten,
    /// None: the rest is 404.
    Plain,
    /// None: the rest is handed to the web pages, which answer 301.
    TryFiles,
    /// `/legacy/Api/…`; SuiteCRM 8 redirects what lacks that folder.
    SuiteCrm8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    KeysMissing,
    DatabaseDown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workflow {
    /// Takes so long that the gateway answers 504 meanwhile.
    Slow,
    /// Ends with a PHP exception.
    Throws,
}

impl Surroundings {
    /// The path below `Api/` that PHP is asked for, or what the web server says itself.
    pub(super) fn route<'a>(&self, request: &'a Request) -> Result<&'a str, Response> {
        if self.asks_for_password {
            let text = "This server could not verify that you may see this document.";
            let page = match self.nginx {
                true => Response::nginx(401, "Authorization Required"),
                false => Response::apache(401, "Unauthorized", text),
            };
            return Err(page.header("WWW-Authenticate", "Basic realm=\"Homologacao\""));
        }
        let too_long = self.body_max.is_some_and(|max| request.body.len() > max);
        let error = |status, words| Err(Response::nginx(status, words));
        match self.gateway {
            Some(502) => return error(502, "Bad Gateway"),
            Some(503) => return error(503, "Service Temporarily Unavailable"),
            Some(_) => return error(504, "Gateway Time-out"),
            None if too_long => return error(413, "Request Entity Too Large"),
            None => {}
        }
        let below = request.path.strip_prefix("/legacy");
        let path = below.unwrap_or(&request.path);
        if self.paths == Paths::SuiteCrm8 && below.is_none() {
            return Err(match path.strip_prefix("/Api/") {
                Some(path) => to_legacy(path, &request.query),
                None => self.web_page(request, path),
            });
        }
        if let "/Api/" | "/Api/index.php" = path {
            return Ok("");
        }
        let rewritten = matches!(self.paths, Paths::Rewritten | Paths::SuiteCrm8);
        let known = |path: &&str| *path == "access_token" || path.starts_with("V8/");
        let short = path
            .strip_prefix("/Api/")
            .filter(|path| rewritten && known(path));
        let found = path.strip_prefix("/Api/index.php/").or(short);
        found.ok_or_else(|| self.web_page(request, path))
    }

    /// The answer of a PHP that dies at once.
    pub(super) fn death(&self) -> Option<Response> {
        let error = match self.broken? {
            Broken::KeysMissing => {
                "LogicException: Invalid key supplied in \
                 vendor/league/oauth2-server/src/CryptKey.php:67"
            }
            Broken::DatabaseDown => {
                "mysqli_sql_exception: Connection refused in include/database/MysqliManager.php:322"
            }
        };
        Some(match self.display_errors {
            true => Response::new(200, HTML, fatal(error)),
            false => Response::new(500, HTML, ""),
        })
    }

    /// What PHP writes behind an answer.
    pub(super) fn annotate(&self, path: &str, response: &mut Response) {
        let noted = match response.status {
            200 | 201 | 400 => path.starts_with("V8/"),
            401 => response.asked.ends_with("refresh_token"),
            _ => false,
        };
        if self.display_errors && noted {
            let note = "Deprecated: Return type of jsonSerialize() should be compatible with \
                        JsonSerializable in Api/V8/Param/BaseParam.php:95";
            response.body.extend(notice(note).into_bytes());
        }
    }

    fn web_page(&self, request: &Request, path: &str) -> Response {
        let login = matches!(path, "" | "/" | "/index.php");
        if login && request.query.contains("action=Login") {
            let page = "<!DOCTYPE html>\n<html><head><title>SuiteCRM</title></head>\
                        <body>Sandbox</body></html>\n";
            return Response::new(200, HTML, page);
        }
        if login || self.paths == Paths::TryFiles {
            return Response::new(301, HTML, "")
                .header("Location", "index.php?action=Login&module=Users");
        }
        match self.nginx {
            true => Response::nginx(404, "Not Found"),
            false => Response::apache_not_found(),
        }
    }
}

/// From the source of SuiteCRM 8, not recorded.
fn to_legacy(path: &str, query: &str) -> Response {
    let mark = if query.is_empty() { "" } else { "?" };
    let target = format!("/legacy/Api/index.php/{path}{mark}{query}");
    let page = format!(
        "<!DOCTYPE html>\n<html>\n    <head>\n        <meta http-equiv=\"refresh\" \
         content=\"0;url='{target}'\" />\n        <title>Redirecting to {target}</title>\n    \
         </head>\n</html>\n"
    );
    Response::new(307, HTML, page).header("Location", target)
}
