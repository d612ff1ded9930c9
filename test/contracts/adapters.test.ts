import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { createAdaptorServer } from '@hono/node-server';
import type { Router } from '@switchyard/core';
import * as forExpress from '@switchyard/express';
import * as forHono from '@switchyard/hono';
import { createHandler, type HandlerOptions } from '@switchyard/http';
import * as forKoa from '@switchyard/koa';
import * as forNode from '@switchyard/node';
import express from 'express';
import { Hono } from 'hono';
import Koa from 'koa';
import { adapterContract, running, type StartServer } from './adapter.ts';

const BY_APP = { 'x-answered-by': 'app' };

/** Adapters that know no mount path but the one they are told. */
const toldWhere = (options: HandlerOptions = {}, at: string | undefined): HandlerOptions => ({
  ...options,
  ...(at !== undefined && { basePath: at }),
});

const startHono =
  (readsBefore: boolean): StartServer =>
  (router, options, at) => {
    const app = new Hono();
    app.use(async (c, next) => {
      await next();
      c.header('x-before', 'app');
    });
    if (readsBefore) {
      app.use(async (c, next) => {
        if (c.req.header('content-type') === 'application/json') {
          const body: unknown = await c.req.json().catch(() => undefined);
          if (body === undefined) return c.text('not JSON', 400);
        }
        return next();
      });
    }
    if (at === undefined) app.use(forHono.switchyard(router, options));
    else app.use(`${at}/*`, forHono.switchyard(router, options));
    app.get('/hello', (c) => c.text('hello', 200, BY_APP));
    app.post('*', async (c) =>
      c.req.path.endsWith('/echo') ? c.json(await c.req.json(), 200, BY_APP) : c.text('not here', 404, BY_APP),
    );
    app.notFound((c) => c.text('not here', 404, BY_APP));
    return running(createAdaptorServer({ fetch: app.fetch }) as ReturnType<typeof createServer>);
  };

const startFetch: StartServer = (router, options, at) => {
  const handler = createHandler(router, toldWhere(options, at));
  const app = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname === '/hello') return new Response('hello', { headers: BY_APP });
    if (request.method === 'POST' && pathname.endsWith('/echo'))
      return Response.json(await request.json(), { headers: BY_APP });
    return new Response('not here', { status: 404, headers: BY_APP });
  };
  const fetch = async (request: Request): Promise<Response> => {
    const response = (await handler(request)) ?? (await app(request));
    // What fetch returned has headers that cannot be changed.
    const changed = new Response(response.body, response);
    changed.headers.set('x-before', 'app');
    return changed;
  };
  return running(createAdaptorServer({ fetch }) as ReturnType<typeof createServer>);
};

const startNode: StartServer = (router, options, at) => {
  const middleware = forNode.switchyard(router, toldWhere(options, at));
  const app = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', 'http://app');
    response.setHeader('x-answered-by', 'app');
    if (pathname === '/hello') response.end('hello');
    else if (request.method === 'POST' && pathname.endsWith('/echo')) response.end(await text(request));
    else {
      response.statusCode = 404;
      response.end('not here');
    }
  };
  const server = createServer((request, response) => {
    response.setHeader('x-before', 'app');
    middleware(request, response, () => void app(request, response));
  });
  return running(server);
};

const startExpress =
  (parser: 'before' | 'after'): StartServer =>
  (router, options, at) => {
    const app = express();
    const json = express.json({ limit: '64mb' });
    const middleware = forExpress.switchyard(router, options);
    app.use((_request, response, next) => {
      response.set('x-before', 'app');
      next();
    });
    if (parser === 'before') app.use(json);
    if (at === undefined) app.use(middleware);
    else app.use(at, middleware);
    if (parser === 'after') app.use(json);
    app.use((request, response) => {
      response.set(BY_APP);
      if (request.path === '/hello') response.send('hello');
      else if (request.method === 'POST' && request.path.endsWith('/echo')) response.json(request.body);
      else response.status(404).send('not here');
    });
    // Express would print what its parser complains about.
    app.use(((error, _request, response, _next) => {
      response.status(error.status ?? 500).send(error.type);
    }) as express.ErrorRequestHandler);
    return running(createServer(app));
  };

/** What the body parsers for Koa do: the parsed body is left on `ctx.request.body`, or an empty object. */
const koaParser: Koa.Middleware = async (ctx, next) => {
  const request = ctx.request as { body?: unknown };
  if (!ctx.is('json')) request.body = {};
  else {
    try {
      request.body = JSON.parse(await text(ctx.req));
    } catch {
      return ctx.throw(400);
    }
  }
  return next();
};

const startKoa =
  (parser: 'before' | 'after'): StartServer =>
  (router: Router, options, at) => {
    const app = new Koa();
    // Koa prints the error of every stream whose reader leaves.
    app.silent = true;
    app.use(async (ctx, next) => {
      ctx.set('x-before', 'app');
      await next();
    });
    if (parser === 'before') app.use(koaParser);
    app.use(forKoa.switchyard(router, toldWhere(options, at)));
    if (parser === 'after') app.use(koaParser);
    app.use((ctx) => {
      ctx.set(BY_APP);
      if (ctx.path === '/hello') ctx.body = 'hello';
      else if (ctx.method === 'POST' && ctx.path.endsWith('/echo')) ctx.body = (ctx.request as { body?: unknown }).body;
      else {
        ctx.status = 404;
        ctx.body = 'not here';
      }
    });
    return running(createServer(app.callback()));
  };

adapterContract('the fetch handler', startFetch);
adapterContract('Hono', startHono(false));
adapterContract('Hono, behind a middleware that reads the body', startHono(true), { parsedBefore: true });
adapterContract('node:http', startNode);
adapterContract('Express, before its parser', startExpress('after'));
adapterContract('Express, behind its parser', startExpress('before'), { parsedBefore: true });
adapterContract('Koa, before a parser', startKoa('after'));
adapterContract('Koa, behind a parser', startKoa('before'), { parsedBefore: true });
