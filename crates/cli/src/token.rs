//! `recap token`: session tokens shaped like Clerk's, for `recap dev` and for any instance that trusts the key.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use recap_testing::clerk::{Session, SigningKey};

use crate::private_file;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Claims {
    /// `org_id`, `org_role`
    V1,
    /// `v: 2`, `o: {id, rol, …}`
    V2,
}

/// Sign a session token shaped like Clerk's, for a server that trusts the key
///
/// Clerk signs the tokens of production. This command signs for an instance that trusts a key of your own: a running
/// `recap dev` (which needs only --org and --user), or a recap-query whose `CLERK_JWT_KEY` is what --public-key prints.
/// Send it as `Authorization: Bearer TOKEN`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  recap token --org org_a --user user_1 --admin              for the running `recap dev`
  recap token --key my.pem --public-key                      makes my.pem if missing; prints CLERK_JWT_KEY
  recap token --key my.pem --issuer https://clerk.example.com --org org_a --user user_1")]
pub struct Options {
    /// Organization the session is in
    #[arg(long, value_name = "ID", required_unless_present = "public_key")]
    org: Option<String>,

    /// User the session belongs to
    #[arg(long, value_name = "ID", required_unless_present = "public_key")]
    user: Option<String>,

    /// With the role org:admin (else org:member)
    #[arg(long)]
    admin: bool,

    /// Version of the claims
    #[arg(long, value_enum, default_value = "v2")]
    claims: Claims,

    /// Seconds until it expires
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    lifetime: u64,

    /// Origin that asked for it (`azp`)
    #[arg(long, value_name = "ORIGIN")]
    authorized_party: Option<String>,

    /// Issuer (`iss`); that of the running `recap dev` without --key
    #[arg(long, env = "CLERK_ISSUER", value_name = "URL")]
    issuer: Option<String>,

    /// Private key in PEM, made if it does not exist; that of the running `recap dev` by default
    #[arg(long, value_name = "PATH")]
    key: Option<PathBuf>,

    /// Print the public key instead of a token
    #[arg(long)]
    public_key: bool,
}

/// Prints a token, or the public key.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let (key, issuer) = if let Some(path) = &options.key {
        (read_or_make(path)?, options.issuer.clone())
    } else {
        let running = crate::dev::running().context("no key given, and no `recap dev` is running here: use --key")?;
        let issuer = options.issuer.clone().or(Some(running.issuer));
        (SigningKey::from_private_pem(&running.private_key)?, issuer)
    };
    if options.public_key {
        print!("{}", key.public_pem());
        return Ok(());
    }
    let issuer = issuer.context("no issuer given: set CLERK_ISSUER or --issuer")?;
    let session = Session {
        user_id: options.user.clone().unwrap_or_default(),
        org_id: options.org.clone(),
        admin: options.admin,
        lifetime: Duration::from_secs(options.lifetime),
        authorized_party: options.authorized_party.clone(),
    };
    let claims = match options.claims {
        Claims::V1 => session.claims_v1(&issuer),
        Claims::V2 => session.claims_v2(&issuer),
    };
    println!("{}", key.sign(&claims)?);
    Ok(())
}

fn read_or_make(path: &Path) -> anyhow::Result<SigningKey> {
    match std::fs::read_to_string(path) {
        Ok(pem) => SigningKey::from_private_pem(&pem)
            .with_context(|| format!("{} is not a private RSA key in PKCS#8 PEM", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = SigningKey::generate()?;
            private_file::create(path, key.private_pem().as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("made {}", path.display());
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
