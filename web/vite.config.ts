import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `SEGUE_SERVER` is only read by `npm run dev`: the address of a running `segue serve`.
declare const process: { env: Record<string, string | undefined> };

const server = process.env.SEGUE_SERVER ?? "http://127.0.0.1:8450";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/segue/server/page",
    emptyOutDir: true,
    // Whoever has the page has the licences of its parts.
    license: { fileName: "licenses.md" },
    target: "es2022",
    // A picture inlined as a data: address would need its own line in the server's CSP.
    assetsInlineLimit: 0,
    // The layout engine is a file of its own, unmodified, fetched when a graph is first shown.
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: Object.fromEntries(["/api", "/ready", "/health"].map((path) => [path, server])),
  },
  test: { environment: "node", include: ["test/**/*.test.ts"] },
});
