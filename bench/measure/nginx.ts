import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every nginx of the benchmark: one worker, nothing of the machine's own configuration, nothing written but errors. */
function frame(http: string): string {
  return `daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path client_body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 1000000000;
${http}
}
`
}

/** An nginx that answers every path with one JSON document, and /jwks.json with a key set. */
export function answering(port: number, body: string, jwks: string): string {
  return frame(`  default_type application/json;
  server {
    listen 127.0.0.1:${port};
    location / { return 200 '${body}'; }
    location = /jwks.json { return 200 '${jwks}'; }
  }`)
}

/** An nginx that accepts every order under an id of its own. */
export function answeringOrders(port: number): string {
  const order = '{"id":"$request_id","status":"pending","items":[{"sku":"MUG-001","quantity":2}],"customer":"bench"}'
  return frame(`  default_type application/json;
  server {
    listen 127.0.0.1:${port};
    location / { return 201 '${order}'; }
  }`)
}

/** An nginx that does nothing but proxy, over kept connections. */
export function proxying(port: number, upstreamPort: number): string {
  return frame(`  upstream bench {
    server 127.0.0.1:${upstreamPort};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }`)
}

/** Writes a configuration into its own directory; returns the command that runs it there. */
export function nginxIn(directory: string, configuration: string): string[] {
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, configuration)
  return ['nginx', '-e', 'stderr', '-p', directory, '-c', file]
}
