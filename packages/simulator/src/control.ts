import { isObject, parseJson } from './json.ts';
import type { SimulatedVendor, VendorName } from './vendor.ts';

const PATH = /^\/_simulator(?:\/([^/]*))?$/;

/**
 * The simulator by HTTP: `GET /_simulator` shows all vendors, `GET /_simulator/openai` one, and
 * `PUT /_simulator/openai` with `{"fault": …}` breaks it, or heals it with null.
 */
export const createControl =
  (vendors: { readonly [V in VendorName]: SimulatedVendor }) =>
  async (request: Request): Promise<Response | undefined> => {
    const [match, name] = PATH.exec(new URL(request.url).pathname) ?? [];
    if (match === undefined) return undefined;
    if (name === undefined) {
      if (request.method !== 'GET') return notAllowed(request, 'GET');
      return Response.json({
        vendors: Object.fromEntries(Object.values(vendors).map((one) => [one.name, stateOf(one)])),
      });
    }
    const vendor = Object.values(vendors).find((one) => one.name === name);
    if (vendor === undefined) return failure(404, `no vendor '${name}'; there are ${Object.keys(vendors).join(', ')}`);
    if (request.method === 'GET') return Response.json(stateOf(vendor));
    if (request.method !== 'PUT') return notAllowed(request, 'GET, PUT');
    const body = parseJson(await request.text());
    if (!isObject(body)) return failure(400, 'the body must be a JSON object with a field "fault"');
    const { fault, ...rest } = body;
    const [other] = Object.keys(rest);
    if (other !== undefined) return failure(400, `${other}: unknown field; there is only "fault"`);
    if (fault === undefined) return failure(400, 'fault: must be a fault, or null to heal');
    try {
      if (fault === null) vendor.heal();
      // It is whatever was sent; break() reads it with care.
      else vendor.break(fault as Parameters<typeof vendor.break>[0]);
    } catch (error) {
      if (error instanceof TypeError) return failure(400, error.message);
      throw error;
    }
    return Response.json(stateOf(vendor));
  };

const stateOf = ({ url, calls, fault, lastCalls }: SimulatedVendor): object => ({ url, calls, fault, lastCalls });

const failure = (status: number, message: string, headers: Record<string, string> = {}): Response =>
  Response.json({ error: { message } }, { status, headers });

const notAllowed = ({ method }: Request, allow: string): Response =>
  failure(405, `${method} is not possible here; ${allow} is`, { allow });
