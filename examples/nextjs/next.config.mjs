/** @type {import('next').NextConfig} */
export default {
  // Hallpass under the app's own origin: the session cookie goes along, and no
  // other origin has to be allowed.
  async rewrites() {
    const hallpass = process.env.HALLPASS_URL ?? 'http://127.0.0.1:8787';
    return [{ source: '/hallpass/:path*', destination: `${hallpass}/:path*` }];
  },
};
