import { useState } from 'preact/hooks';
import { type CodeQuestion, codeProblem } from '../model/code.ts';
import type { Home } from '../model/view.ts';
import type { Page } from '../page.ts';
import { Heading, NoteLine } from '../parts/basics.tsx';
import { KeptList } from '../parts/kept-list.tsx';
import { KnownDevices } from '../parts/known.tsx';
import { Line, thisDevice } from '../parts/line.tsx';
import { LinkCard } from '../parts/link-card.tsx';
import { ReceiveForm } from '../parts/receive-form.tsx';
import { SendForms } from '../parts/send-forms.tsx';
import { say } from '../words/index.ts';

export function HomeScreen({ home, page }: { home: Home; page: Page }) {
  const { code, note } = home;
  // The code of a link that the person would rather type, and what is asked about it.
  const [typed, setTyped] = useState<{ code: string; doubt?: CodeQuestion | undefined }>();
  const linked = code !== '' && codeProblem(code) === undefined && typed?.code !== code;
  const { receiving, near } = page;
  const title = linked ? 'link.title' : receiving ? 'home.titleReceiving' : 'home.title';
  const lead = linked ? 'link.lead' : receiving ? 'home.leadReceiving' : 'home.lead';
  return (
    <div class={linked ? 'linkscreen' : receiving ? 'alone' : 'home'}>
      {!linked && !receiving && (
        <div class="hero">
          <Line from={thisDevice()} to={{ label: say('device.there'), kind: 'phone' }} motion="meets" />
        </div>
      )}
      <Heading>{say(title)}</Heading>
      <p class="lead">{say(lead)}</p>
      <NoteLine note={note} />
      {linked ? (
        <LinkCard key={code} code={code} page={page} other={(doubt) => setTyped({ code, doubt })} />
      ) : (
        <div class="two">
          {!receiving && <SendForms key={home.draft} page={page} />}
          <ReceiveForm
            key={code}
            code={code}
            page={page}
            doubt={typed?.code === code ? typed.doubt : undefined}
          />
        </div>
      )}
      {!linked && <KnownDevices page={page} />}
      {!linked && near && <near.NearDevices page={page} here={near.here} />}
      <KeptList home={home} page={page} />
    </div>
  );
}
