import type { Home } from '../model/view.ts';
import type { Page } from '../page.ts';
import { Heading, NoteLine } from '../parts/basics.tsx';
import { KeptList } from '../parts/kept-list.tsx';
import { ReceiveForm } from '../parts/receive-form.tsx';
import { SendForms } from '../parts/send-forms.tsx';

export function HomeScreen({ home, page }: { home: Home; page: Page }) {
  const send = <SendForms key="send" page={page} />;
  const receive = <ReceiveForm key={`receive ${home.code}`} code={home.code} page={page} />;
  const kept = <KeptList key="kept" home={home} page={page} />;
  return (
    <>
      <Heading>Beeline</Heading>
      <p class="lead">
        {page.receiving
          ? 'Somebody on this network sends files to you. They come straight from that device.'
          : 'Send files of any size straight from one device to another. Nothing is stored in between, and nobody needs an account.'}
      </p>
      <NoteLine note={home.note} />
      {/* Whoever opened a link came to receive. */}
      {page.receiving ? [receive, kept] : home.code === '' ? [send, receive, kept] : [receive, kept, send]}
    </>
  );
}
