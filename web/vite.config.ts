import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// One portal is one folder here, one folder in dist/ and one path on the REST port.
export default defineConfig({
  root: 'devportal',
  base: '/devportal/',
  plugins: [react()],
  build: {
    outDir: '../dist/devportal',
    emptyOutDir: true,
    // The page's content policy lets nothing in that is not a file of its own.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  // `npm run dev` beside a running `tidegate serve`.
  server: { proxy: { '/api': { target: 'https://localhost:9443', secure: false } } },
  test: { environment: 'node' },
});
