// A relay as one writes it in an afternoon: each event parsed, its type looked
// at, and sent on.
import { WebSocket, WebSocketServer } from "ws";

const server = new WebSocketServer({ port: Number(process.env.PORT), perMessageDeflate: false });

server.on("connection", (client) => {
  const upstream = new WebSocket(process.env.UPSTREAM, {
    headers: { authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
    perMessageDeflate: false,
  });
  const waiting = [];
  client.on("message", (data) => {
    const event = JSON.parse(data);
    if (event.type === "session.update") return;
    if (upstream.readyState === WebSocket.OPEN) upstream.send(data.toString());
    else waiting.push(data.toString());
  });
  upstream.on("open", () => waiting.splice(0).forEach((data) => upstream.send(data)));
  upstream.on("message", (data) => {
    const event = JSON.parse(data);
    if (event.type === "response.done") count(event.response.usage);
    client.send(data.toString());
  });
  client.on("close", () => upstream.close());
  upstream.on("close", () => client.close());
  client.on("error", () => upstream.terminate());
  upstream.on("error", () => client.terminate());
});

let tokens = 0;
function count(usage) {
  tokens += usage?.total_tokens ?? 0;
}
