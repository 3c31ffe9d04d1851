//! A request to the console, and the way from its cookie into the pipeline.
//!
//! A session stands for an API key. Each request asks for that key again, by
//! its id, as the API would: so a key that was revoked, has expired, lost a
//! role or is used from elsewhere ends the session with the next request.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension,
    extract::{FromRequestParts, State},
    response::Response,
};
use hallpass_core::{
    Timestamp,
    audit::Action,
    caller::{Caller, Presented},
    code::Code,
    permission::Permission,
    pipeline::AuditSlip,
    refusal::Refusal,
    request::RequestFacts,
};
use hallpass_http::App;
use http::{HeaderMap, Uri, request::Parts};

use crate::{
    answer::{go, with_cookie},
    console::Console,
    cookie,
    form::Fields,
    operator::Operator,
    origin, pages,
    session::Held,
};

/// One request to the console.
pub(crate) struct Visit {
    pub(crate) app: App,
    pub(crate) console: Console,
    pub(crate) facts: Arc<RequestFacts>,
    pub(crate) headers: HeaderMap,
    pub(crate) uri: Uri,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let absent = |_| pages::defect();
        let console = Extension::<Console>::from_request_parts(parts, app).await;
        let facts = Extension::<Arc<RequestFacts>>::from_request_parts(parts, app).await;
        let app: Result<State<App>, Infallible> = State::from_request_parts(parts, app).await;
        let State(app) = app.map_err(|never| match never {})?;
        Ok(Self {
            app,
            console: console.map_err(absent)?.0,
            facts: facts.map_err(absent)?.0,
            headers: parts.headers.clone(),
            uri: parts.uri.clone(),
        })
    }
}

/// A request of an operator who may do what it asks for.
pub(crate) struct Entered<'a> {
    pub(crate) slip: AuditSlip<'a>,
    pub(crate) operator: Operator,
}

impl Visit {
    /// The time of this request.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.broker().clock().now()
    }

    /// The fields of its address.
    pub(crate) fn query(&self) -> Fields {
        Fields::of_query(self.uri.query())
    }

    /// The session of its cookie.
    pub(crate) fn session(&self) -> Option<(cookie::Sent, Held)> {
        let sent = cookie::read(&self.headers)?;
        let sessions = self.console.sessions();
        let held = sessions.find(&sent.token, sent.secure, self.now())?;
        Some((sent, held))
    }

    /// Lets an operator read, or answers why not.
    pub(crate) async fn enter(
        &self,
        action: Action,
        permission: Option<Permission>,
    ) -> Result<Entered<'_>, Response> {
        let (slip, operator) = self.known(action).await?;
        self.allowed(slip, operator, permission).await
    }

    /// Lets an operator do something, if a page of this console asks for it.
    pub(crate) async fn act(
        &self,
        fields: &Result<Fields, Refusal>,
        action: Action,
        permission: Permission,
    ) -> Result<Entered<'_>, Response> {
        let (slip, operator) = self.known(action).await?;
        match self.defend(fields, &operator) {
            Ok(()) => self.allowed(slip, operator, Some(permission)).await,
            Err(refusal) => {
                let refusal = slip.refuse(refusal).await;
                Err(self.refused(&refusal, Some(&operator)))
            }
        }
    }

    /// Leads to the sign-in, or finds out who it is.
    async fn known(&self, action: Action) -> Result<(AuditSlip<'_>, Operator), Response> {
        let Some((sent, held)) = self.session() else {
            return Err(go(pages::SIGN_IN));
        };
        let presented = Presented {
            proven: Some(held.key.clone()),
            address: self.facts.address,
            ..Presented::default()
        };
        let broker = self.app.broker();
        let known = self.app.guard();
        match known.authenticate(broker, &self.facts, &presented).await {
            Ok(known) => {
                let caller: Arc<Caller> = known.caller().clone();
                let operator = Operator::of(broker, &caller, held.csrf);
                Ok((known.open_audit(action), operator))
            }
            Err(refusal) if ends_session(&refusal) => {
                self.console.sessions().end(&sent.token);
                let gone = cookie::take(sent.secure);
                Err(with_cookie(go(pages::SESSION_OVER), gone))
            }
            Err(refusal) => Err(self.refused(&refusal, None)),
        }
    }

    async fn allowed<'a>(
        &self,
        slip: AuditSlip<'a>,
        operator: Operator,
        permission: Option<Permission>,
    ) -> Result<Entered<'a>, Response> {
        let Some(permission) = permission else {
            return Ok(Entered { slip, operator });
        };
        match slip.require(permission).await {
            Ok(slip) => Ok(Entered { slip, operator }),
            Err(refusal) => Err(self.refused(&refusal, Some(&operator))),
        }
    }

    /// Refuses a form that another page could have sent.
    fn defend(&self, fields: &Result<Fields, Refusal>, operator: &Operator) -> Result<(), Refusal> {
        let foreign = |text| Refusal::new(Code::CrossSiteRequest, text);
        let own = origin::own(&self.headers, &self.uri);
        own.map_err(|why| foreign(why.sentence()))?;
        let fields = fields.as_ref().map_err(Clone::clone)?;
        if is_same(fields.get("csrf").unwrap_or(""), &operator.csrf) {
            return Ok(());
        }
        Err(foreign(
            "The form is not one of this session's: it was opened before you signed in again. Nothing was done. Open the page anew.",
        ))
    }

    /// The page of a refusal.
    pub(crate) fn refused(&self, refusal: &Refusal, operator: Option<&Operator>) -> Response {
        pages::refused(self, refusal, operator)
    }
}

impl Entered<'_> {
    /// Records that a page was read.
    pub(crate) async fn done(
        self,
        visit: &Visit,
        facts: Vec<(&'static str, String)>,
    ) -> Result<Operator, Response> {
        match self.slip.done(facts).await {
            Ok(()) => Ok(self.operator),
            Err(refusal) => Err(visit.refused(&refusal, Some(&self.operator))),
        }
    }
}

/// Whether the key is good no more; a limit or a failure is no reason to go.
fn ends_session(refusal: &Refusal) -> bool {
    refusal.code.is_unauthenticated() || refusal.code == Code::AccessRevoked
}

/// Compares without telling how much is right.
fn is_same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
