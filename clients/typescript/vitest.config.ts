import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/**/*.test.{ts,tsx}'], pool: 'threads', reporters: ['default'], restoreMocks: true },
});
