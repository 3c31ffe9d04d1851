import type { NextAuthOptions } from 'next-auth';
import Credentials from 'next-auth/providers/credentials';

/**
 * The app's own login. Hallpass reads its cookie with the same secret:
 *
 *     [[auth.session_cookie]]
 *     name = "web"
 *     format = "next-auth-v4"
 *     secrets_file = "/run/secrets/nextauth"     # NEXTAUTH_SECRET
 */
export const auth: NextAuthOptions = {
  session: { strategy: 'jwt' },
  providers: [
    Credentials({
      name: 'the demo',
      credentials: { name: { label: 'Your name', type: 'text' } },
      // A real app asks a real provider here.
      authorize: (given) => (given?.name ? { id: `example-${given.name}`, name: given.name } : null),
    }),
  ],
};
