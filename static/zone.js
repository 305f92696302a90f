// Offers the browser's time zone to who has not chosen one: once, for both buttons choose.
"use strict";
{
  const offer = document.getElementById("zone");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const own = offer?.querySelector("[data-own]");
  if (own && zone && zone !== offer.dataset.zone) {
    own.value = zone;
    for (const name of offer.querySelectorAll("b")) name.textContent = zone.replaceAll("_", " ");
    offer.hidden = false;
  }
}
