//! A broker that wants to know who asks: TLS, SASL and access control, as managed Kafkas have them.

use crate::{
    CertificateAuthority, KafkaOptions, certificates::Certificate, clerk::ClerkError, error::ServerError,
    oidc::OidcProvider,
};

/// The password of the user that [`KafkaAccess`] knows: with what a list of options could stumble over.
pub const PASSWORD: &str = "pass,w=o\"rd";
/// The same user's password by SCRAM, which Kafka's tool takes without commas only.
pub const SCRAM_PASSWORD: &str = "scram=pass word";

/// Who may connect how. The listener in plain text stays beside it; whoever uses it may do everything.
pub struct KafkaAccess {
    /// Signs the broker's certificate and the clients'.
    pub authority: CertificateAuthority,
    /// A client's certificate of the name `recap`.
    pub client: Certificate,
    /// Gives tokens to the client `recap`.
    pub oidc: OidcProvider,
}

impl KafkaAccess {
    /// Listener with SASL over TLS: PLAIN and SCRAM, user `recap`, [`PASSWORD`] and [`SCRAM_PASSWORD`].
    pub const SASL_SSL: &str = "SASL_SSL";
    /// Listener with TLS that wants a certificate of the client's.
    pub const SSL: &str = "SSL";
    /// Listener with SASL OAUTHBEARER over TLS.
    pub const OAUTH: &str = "OAUTH";

    /// Makes certificates and starts the provider of tokens.
    pub fn make() -> Result<Self, ServerError> {
        let certificates = |error: rcgen::Error| ServerError::io("making certificates")(std::io::Error::other(error));
        let tokens = |error: ClerkError| ServerError::io("starting a provider of tokens")(std::io::Error::other(error));
        let authority = CertificateAuthority::generate().map_err(certificates)?;
        Ok(Self {
            client: authority.client("recap").map_err(certificates)?,
            authority,
            oidc: OidcProvider::start().map_err(tokens)?,
        })
    }

    /// A broker with these listeners, on which nobody may do what no rule allows.
    pub fn options(&self) -> Result<KafkaOptions, ServerError> {
        let server = self.authority.server();
        let server = server.map_err(|error| ServerError::io("making certificates")(std::io::Error::other(error)))?;
        let pem = |text: &str| text.trim_end().replace('\n', " \\\n ");
        let module = |name: &str, options: &str| format!("org.apache.kafka.common.security.{name} required {options};");
        let password = PASSWORD.replace('\\', r"\\").replace('"', r#"\\""#);
        let settings = [
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
            ),
            ("super.users", "User:ANONYMOUS".to_owned()),
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.key", pem(&server.key)),
            ("ssl.keystore.certificate.chain", pem(&server.certificate)),
            ("ssl.truststore.type", "PEM".to_owned()),
            ("ssl.truststore.certificates", pem(&self.authority.certificate)),
            ("listener.name.ssl.ssl.client.auth", "required".to_owned()),
            (
                "listener.name.ssl.ssl.principal.mapping.rules",
                "RULE:^CN=([^,]*).*$/$1/".to_owned(),
            ),
            (
                "listener.name.sasl_ssl.sasl.enabled.mechanisms",
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
            ),
            (
                "listener.name.sasl_ssl.plain.sasl.jaas.config",
                module("plain.PlainLoginModule", &format!("user_recap=\"{password}\"")),
            ),
            (
                "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config",
                module("scram.ScramLoginModule", ""),
            ),
            (
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
                module("scram.ScramLoginModule", ""),
            ),
            ("listener.name.oauth.sasl.enabled.mechanisms", "OAUTHBEARER".to_owned()),
            (
                "listener.name.oauth.oauthbearer.sasl.jaas.config",
                module("oauthbearer.OAuthBearerLoginModule", ""),
            ),
            (
                "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class",
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler".to_owned(),
            ),
            (
                "listener.name.oauth.sasl.oauthbearer.jwks.endpoint.url",
                self.oidc.jwks_url(),
            ),
            (
                "listener.name.oauth.sasl.oauthbearer.expected.audience",
                OidcProvider::AUDIENCE.to_owned(),
            ),
        ];
        let scram = |mechanism: &str| format!("{mechanism}=[name=recap,password={SCRAM_PASSWORD}]");
        Ok(KafkaOptions {
            listeners: vec![
                (Self::SASL_SSL.to_owned(), "SASL_SSL".to_owned()),
                (Self::SSL.to_owned(), "SSL".to_owned()),
                (Self::OAUTH.to_owned(), "SASL_SSL".to_owned()),
            ],
            settings: settings.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            format_arguments: ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                .into_iter()
                .flat_map(|mechanism| ["--add-scram".to_owned(), scram(mechanism)])
                .collect(),
            // Without it the broker asks no one for keys.
            jvm: vec![format!(
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}",
                self.oidc.jwks_url()
            )],
            ..KafkaOptions::default()
        })
    }
}
