import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";
const a = JSON.parse(readFileSync("/tmp/s/look/ready.json","utf8")).dashboard;
const b = await chromium.launch({executablePath:"/usr/bin/chromium",args:["--no-sandbox","--disable-gpu","--disable-quic","--no-first-run"]});
for (const [name,w,h,scheme,locale] of [["wide-light-en",1440,1000,"light","en-US"],["wide-dark-zh",1440,1000,"dark","zh-CN"],["phone-light-zh",360,740,"light","zh-CN"],["phone-dark-en",360,740,"dark","en-US"]]) {
  const c = await b.newContext({viewport:{width:w,height:h},colorScheme:scheme,locale});
  const p = await c.newPage();
  p.on("console",m=>console.log(name,m.type(),m.text())); p.on("pageerror",e=>console.log(name,"ERR",e.stack));
  await p.goto(`http://${a}/`); await p.waitForSelector("#now-value:not([hidden])"); await p.waitForTimeout(2500);
  console.log(name, await p.evaluate(()=>[document.documentElement.scrollWidth,innerWidth]));
  await p.screenshot({path:`/tmp/s/shots/${name}.png`,fullPage:true});
  await c.close();
}
await b.close();
