import { channel } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { WireLog } from './wire.ts';

const tell = (name: string, message: object): void => channel(`undici:${name}`).publish(message);

test('of several requests of one attempt the first tells whether the vendor can be reached', () => {
  const wire = new WireLog();
  wire.follow(() => {
    const first = {};
    tell('request:create', { request: first });
    expect(wire.state).toBe('connecting');
    tell('client:sendHeaders', { request: first });
    expect(wire.state).toBe('sent');
    tell('request:headers', { request: first, response: { statusCode: 200, headers: [] } });
    // Long after the time to connect: it must not look as if nobody were there.
    tell('request:create', { request: {} });
    expect(wire.state).toBe('sent');
  });
});
