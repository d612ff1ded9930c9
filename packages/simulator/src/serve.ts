import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { startSimulator } from './simulator.ts';
import { VENDOR_NAMES, type VendorModel, type VendorOptions } from './vendor.ts';

// Starts all vendors and a port to control them.
//
//   PORT             the control port; the vendors take the ports after it. 0 takes free ports. Default 4010.
//   SIMULATOR_SEED   seeds all dice. Default 1.

/** As fast as a mid-sized hosted model. */
const LIFELIKE: VendorModel = { firstTokenMs: { median: 300, sigma: 0.5 }, tokensPerSecond: 80 };

const controlPort = Number(process.env.PORT ?? 4_010);
const seed = Number(process.env.SIMULATOR_SEED ?? 1);

const onPort = (i: number): VendorOptions => ({ ...LIFELIKE, port: controlPort === 0 ? 0 : controlPort + 1 + i });

const simulator = await startSimulator({
  seed,
  vendors: Object.fromEntries(VENDOR_NAMES.map((name, i) => [name, onPort(i)])),
});

const control = createServer(async (request, response) => {
  const { method = 'GET', url = '/' } = request;
  const body = await text(request);
  const asked = new Request(new URL(url, 'http://127.0.0.1'), { method, ...(body !== '' && { body }) });
  const answer =
    (await simulator.control(asked)) ?? Response.json({ error: { message: 'see /_simulator' } }, { status: 404 });
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(await answer.text());
});

control.listen(controlPort, '127.0.0.1', () => {
  const address = control.address();
  const port = typeof address === 'object' ? address?.port : controlPort;
  for (const { name, url } of Object.values(simulator.vendors)) console.log(`${name.padEnd(9)} ${url}`);
  console.log(`control   http://127.0.0.1:${port}/_simulator`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    control.close();
    control.closeAllConnections();
    void simulator.close();
  });
}
