//! A TCP proxy in front of a server: it leads elsewhere, or swallows every byte without a word.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what a test cannot do with its proxy fails that test"
)]

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// What becomes of connections and of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Route {
    /// The port of 127.0.0.1 that new connections lead to; `None` refuses them.
    to: Option<u16>,
    /// Connections of other epochs are cut.
    epoch: u64,
    /// Bytes of every connection, old or new, are held back; nothing is closed.
    is_black_hole: bool,
    /// How many times it was healed.
    heals: u64,
    /// Connections of before that many heals stay silent.
    silent_below: u64,
}

/// A running proxy; dropping it cuts every connection.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    route: Arc<watch::Sender<Route>>,
    _accepting: AbortOnDropHandle<()>,
}

impl TcpProxy {
    /// Listens on a port of 127.0.0.1, in front of another one.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let listens = listener.local_addr().unwrap().port();
        let (route, seen) = watch::channel(Route {
            to: Some(port),
            epoch: 0,
            is_black_hole: false,
            heals: 0,
            silent_below: 0,
        });
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(forward(client, seen.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            port: listens,
            route: Arc::new(route),
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL with this proxy in place of the server that listens on `port`.
    #[must_use]
    pub fn in_url(&self, url: &str, port: u16) -> String {
        url.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", self.port))
    }

    /// Holds back every byte from now on, without closing anything.
    pub fn black_hole(&self) {
        self.route.send_modify(|route| route.is_black_hole = true);
    }

    /// Forwards what new connections send; the others are silent for ever, as after a firewall that forgot them.
    pub fn heal_for_new_connections(&self) {
        self.route.send_modify(|route| {
            route.is_black_hole = false;
            route.heals += 1;
            route.silent_below = route.heals;
        });
    }

    /// Cuts every connection, and leads new ones elsewhere.
    pub fn lead_to(&self, port: u16) {
        self.route.send_modify(|route| {
            route.to = Some(port);
            route.epoch += 1;
        });
    }

    /// Cuts every connection, and refuses new ones.
    pub fn cut(&self) {
        self.route.send_modify(|route| {
            route.to = None;
            route.epoch += 1;
        });
    }
}

async fn forward(client: TcpStream, mut route: watch::Receiver<Route>) {
    let Route { to, epoch, heals, .. } = *route.borrow();
    let Some(port) = to else {
        return;
    };
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, route.clone(), heals) => {}
        () = copy(from_server, to_client, route.clone(), heals) => {}
        _ = route.wait_for(|route| route.epoch != epoch) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut route: watch::Receiver<Route>, heals: u64) {
    let is_open = |route: &Route| !route.is_black_hole && heals >= route.silent_below;
    let mut bytes = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        let open = route.wait_for(is_open).await.is_ok();
        if read == 0 || !open || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
