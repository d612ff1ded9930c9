import { startSimulator } from '@switchyard/simulator';

// #region options
await startSimulator({
  seed: 7,
  vendors: {
    openai: { firstTokenMs: { median: 300, sigma: 0.5 }, tokensPerSecond: 80 },
    anthropic: { rateLimit: { requestsPerMinute: 50, tokensPerMinute: 40_000 } },
    cohere: { port: 4013, contextWindow: 8_000 },
  },
});
// #endregion
