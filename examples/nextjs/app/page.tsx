import { getServerSession } from 'next-auth';
import { auth } from '../lib/auth';
import { Room } from './room';

export default async function Page() {
  const session = await getServerSession(auth);
  if (!session?.user) return <a href="/api/auth/signin">Sign in</a>;
  return <Room name={session.user.name ?? 'You'} />;
}
