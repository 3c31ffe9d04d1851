//! nginx before several servers, as an operator would put it there.

use std::{path::Path, process::Command};

use super::{Process, client, process::clean};

/// Starts nginx in a folder, with kept connections and no check of the
/// servers' health beyond what a request meets; gives its address.
pub(crate) fn balancer(folder: &Path, servers: &[String]) -> (Process, String) {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    drop(socket);
    let servers = servers.iter();
    let servers: String = servers
        .map(|server| format!("server {server} max_fails=0;\n"))
        .collect();
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let at = folder.display();
    let text = format!(
        "{user}
daemon off;
worker_processes 1;
pid {at}/nginx.pid;
error_log {at}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {at}/body;
    proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi;
    uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    # Who asks again under the same name meets the replica that knows.
    map $http_idempotency_key $spread {{
        ''      $request_id;
        default $http_idempotency_key;
    }}
    upstream hallpass {{
        hash $spread consistent;
        {servers}
        keepalive 16;
        # Less than a replica drains: none is used that is about to be closed.
        keepalive_timeout 500ms;
    }}
    map $http_upgrade $wanted {{
        default upgrade;
        ''      '';
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://hallpass;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $wanted;
            proxy_connect_timeout 2s;
        }}
    }}
}}
"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = clean(Command::new(nginx()));
    command.arg("-p").arg(folder).arg("-c").arg(file);
    (Process::start(command), format!("http://{address}"))
}

/// Debian keeps it where only root's search path looks.
fn nginx() -> &'static str {
    let found = Command::new("nginx").arg("-v").output().is_ok();
    if found { "nginx" } else { "/usr/sbin/nginx" }
}

/// Waits until whoever is behind an address answers.
pub(crate) async fn until_it_answers(url: &str) {
    let client = client();
    while !client
        .get(format!("{url}/livez"))
        .send()
        .await
        .is_ok_and(|answer| answer.status() == 200)
    {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
